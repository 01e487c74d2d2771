"""What a bundle that is watched stands on: its cgroups, its devices, and the files of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field, replace
from pathlib import Path
from typing import Self

from ..common.diagnostics import DiagnosedError
from ..common.manifest import Manifest
from ..common.record import Record
from .apply import Applied
from .kernel.devices import Device, devices
from .kernel.errors import KernelError
from .kernel.table_routes import Network
from .loader import hostfile
from .loader.cgroups import Cgroups
from .loader.desired import Request
from .loader.gro import DEVICE, find
from .loader.kept_folder import CURRENT, folder
from .loader.route_device import Wanted as RouteDevice
from .loader.route_device import change, look
from .loader.route_device.decide import subnets_but
from .loader.route_device.sources import gone_sources
from .loader.settings import unset

Facts = Mapping[str, object]
_GRO = "device for GRO"


class Watching(Record):
    """What was seen when the bundle was applied last, or tried to be.

    `names` are the devices of its host values, empty as long as they are not known: then all devices are looked at.
    `routed` and `settings` are what its route device and the sysctls should be, `subnets` those that this machine was
    on; `broken` is what of these was not so.
    """

    request: Request
    cgroups: Cgroups | None = None
    names: frozenset[str] = frozenset()
    files: tuple[Path, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)
    applied: bool = False
    routed: RouteDevice | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    subnets: frozenset[Network] = frozenset()
    broken: tuple[str, ...] = ()
    merged: Manifest | None = None  # of a bundle that has a device for GRO

    def now(self) -> Self:
        """The same with what is seen now. To be called before an apply: what changes while it runs then shows."""
        files = tuple(dict.fromkeys((*_files(self.request), *self.files)))
        known = replace(self, files=files, broken=self._broken())
        return replace(known, numbers=known._numbers(), facts=known._facts())

    def after(self, done: Applied) -> Self:
        """After an apply, which knows the cgroups and the devices."""
        desired = done.plan.desired
        values = (v for found in desired.machine.values.values() for v in found.values)
        names = frozenset(
            {v.name for v in values if isinstance(v, Device)} | {d.name for d in desired.machine.attached}
        )
        rows = () if self.request.kept else tuple(entry.file for entry in desired.bundle.host_rows.values())
        known = replace(
            self,
            names=names,
            cgroups=desired.cgroups,
            files=(*_files(self.request), *rows),
            applied=True,
            routed=desired.route_device,
            settings=desired.settings_wanted,
            subnets=desired.subnets,
            merged=desired.manifest if desired.manifest.gro == DEVICE else None,
        )
        numbers = dict(desired.cgroups.numbers) if desired.cgroups else {}
        facts = {k: v for k, v in self.facts.items() if k in names or k in map(str, known.files)}
        for file in known.files:  # which this apply has read first
            facts.setdefault(str(file), _mark(file))
        if known.merged is not None:  # as this apply left it: what it cannot make must not wake up again and again
            facts[_GRO] = _to_mend(known.merged)
        return replace(known, numbers=numbers, facts=facts)

    def after_failure(self) -> Self:
        """After an apply that failed: every device may be the one that is missing."""
        every = replace(self, names=frozenset(), applied=False, routed=None, settings={})
        seen = {name: fact for name, fact in self.facts.items() if fact is not None or name in map(str, self.files)}
        return replace(every, facts={**every._facts(), **seen})

    def differs(self) -> bool:
        """Whether something is not as it was seen."""
        return self._numbers() != self.numbers or self._facts() != self.facts or bool(self._broken())

    def since(self, before: Watching, done: Applied) -> tuple[str, ...]:
        """The devices and files that were seen otherwise before.

        Devices as the apply read them: one that changed after it was looked at here, and before the apply looked, has
        led to what was done too, and the next apply finds nothing to do for it.
        """
        machine = done.plan.desired.machine
        values = (v for found in machine.values.values() for v in found.values)
        read = {d.name: _device_facts(d) for d in (*values, *machine.attached) if isinstance(d, Device)}
        facts = {**self.facts, **read}
        changed = tuple(name for name in facts if name in before.facts and before.facts[name] != facts[name])
        return (*changed, *(word for word in self.broken if word not in changed))

    def folders(self) -> list[Path]:
        """The directories in which things come and go, for inotify."""
        beside = [f.parent for f in self.files]
        return [*(self.cgroups.folders() if self.cgroups else ()), *dict.fromkeys(beside)]

    def _broken(self) -> tuple[str, ...]:
        """What of the route device and the sysctls is not as it should be, by its name."""
        found = list(unset(self.settings))
        if self.routed is not None:
            try:
                seen = look(self.routed.bundle, "", self.routed)
                here = devices().values()
                other_subnets = subnets_but(here, self.routed.name) != self.subnets
                if other_subnets or change(self.routed, seen).any or gone_sources(self.routed.sources.values(), here):
                    found.append(self.routed.name)
            except KernelError:
                return tuple(found)
            except (DiagnosedError, OSError):  # the journal cannot be read: an apply says so, and is tried again
                found.append(self.routed.name)
        return tuple(found)

    def _numbers(self) -> Mapping[str, int]:
        return self.cgroups.now() if self.cgroups else {}

    def _facts(self) -> Facts:
        found: dict[str, object] = {str(file): _mark(file) for file in self.files}
        try:
            here = devices()
        except KernelError:
            return found
        if self.merged is not None:
            found[_GRO] = _to_mend(self.merged)
        for name in self.names or here:
            d = here.get(name)
            found[name] = _device_facts(d) if d else None
        return found


def _to_mend(manifest: Manifest) -> object:
    """What an apply would do to devices for GRO."""
    with suppress(KernelError):
        return find(manifest, manifest.name).changes
    return None


def _device_facts(d: Device) -> object:
    """What programs know of a device, and where it is."""
    return d.index, d.mac, d.mtu, d.ethernet, d.addresses, d.tx_checksum


def _files(request: Request) -> tuple[Path, ...]:
    if request.kept:
        return (folder(request.kept) / CURRENT,)  # everything is in there
    return (Path(request.host_file) if request.host_file else hostfile.DEFAULT, *request.rows.values())


def _mark(file: Path) -> object:
    """What changes when a file is written or replaced."""
    with suppress(OSError):
        found = file.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size
    return None
