"""What of a route device is on the machine, and what of it is not as it should be."""

from __future__ import annotations

from dataclasses import field

from ....common.record import Record
from ...kernel.devices import devices
from ...kernel.table_routes import VERSIONS, Entry, entries, has_rule
from ...kernel.tunnel_devices import TunnelDevice, tunnel_devices
from .. import journal as journals
from ..closing import table_of
from ..journal import Journal
from .decide import Wanted, owner_of

TAKEN_OVER = "taken over"


class Seen(Record):
    """`devices` are ours. `taken` says what has the wanted name and is not ours. `rules`: IP versions with a rule."""

    devices: tuple[TunnelDevice, ...] = ()
    taken: str = ""
    entries: frozenset[Entry] = frozenset()
    rules: frozenset[int] = frozenset()
    journal: Journal = field(default_factory=Journal)

    def device(self, name: str) -> TunnelDevice | None:
        """Ours of that name."""
        return next((d for d in self.devices if d.name == name), None)


class Change(Record):
    """What apply would do. `make`: the device; `mend`: what of it is not as it should be, in words; the numbers of
    routes that come and go, the IP versions of rules that do, and the devices that go."""

    wanted: Wanted | None
    make: bool = False
    mend: tuple[str, ...] = ()
    added: int = 0
    dropped: int = 0
    rules_added: tuple[int, ...] = ()
    rules_dropped: tuple[int, ...] = ()
    unwritten: bool = False  # what is set already is not in the journal
    deleted: tuple[str, ...] = ()

    @property
    def begins(self) -> bool:
        """Whether the device has to be made, or to be written down, before anything else."""
        return self.make or self.unwritten

    @property
    def any(self) -> bool:
        """Whether anything changes."""
        counted = (self.added, self.dropped, self.rules_added, self.rules_dropped, self.deleted)
        return self.make or self.unwritten or bool(self.mend) or any(counted)


def look(bundle: str, former: str, wanted: Wanted | None) -> Seen:
    """Raises DiagnosedError (H155), KernelError, OSError."""
    journal = journals.read(bundle)
    owners = {owner_of(name) for name in (bundle, former) if name}
    names = {*journal.devices, *([wanted.name] if wanted else [])}
    here = tunnel_devices()
    ours = tuple(d for d in here if d.owner in owners or (d.orphan and d.name in names))
    taken = ""
    if wanted is not None and all(d.name != wanted.name for d in ours):
        other = devices().get(wanted.name)
        taken = (other.kind or "hardware") if other is not None else ""
    table = table_of(bundle)
    rules = frozenset(v for v in VERSIONS if has_rule(table, v))
    filled = frozenset(entries(table)) if wanted or journal.tables or rules else frozenset()
    return Seen(ours, taken, filled, rules, journal)


def change(wanted: Wanted | None, seen: Seen) -> Change:
    """What leads from what is seen to what is wanted; without anything wanted, what is left is taken away."""
    if wanted is None:
        ours = bool(seen.journal.tables)  # else the table is that of `boot: closed`, which apply lifts
        return Change(
            None,
            dropped=len(seen.entries) if ours else 0,
            rules_dropped=tuple(sorted(seen.rules)) if ours else (),
            deleted=tuple(d.name for d in seen.devices),
        )
    device = seen.device(wanted.name)
    index = device.index if device is not None else 0
    should = set(wanted.entries(index))
    versions = wanted.routing.versions
    written = seen.journal
    return Change(
        wanted,
        device is None,
        tuple(_mend(wanted, device)) if device is not None else (),
        len(should - seen.entries),
        len(seen.entries - should),
        tuple(sorted(versions - seen.rules)),
        tuple(sorted(seen.rules - versions)),
        wanted.name not in written.devices or wanted.table not in written.tables,
        tuple(d.name for d in seen.devices if d.name != wanted.name),
    )


def _mend(wanted: Wanted, device: TunnelDevice) -> list[str]:
    found = []
    if device.owner != wanted.owner:
        found.append(TAKEN_OVER)
    if device.mtu != wanted.mtu:
        found.append(f"MTU {device.mtu} -> {wanted.mtu}")
    if not device.up:
        found.append("set up")
    return found
