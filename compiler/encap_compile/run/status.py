"""What is in force on this machine, asked from the kernel, and where it differs from what was applied."""

from __future__ import annotations

import time
from dataclasses import field

from ..common.diagnostics import DiagnosedError, Diagnostic, Exit, Findings
from ..common.manifest import Counter, Manifest
from ..common.record import Record
from .drift_of_maps import drift_from_bundle, drift_of_entries, drift_of_files, drift_of_pins
from .host_values import Machine, resolve
from .kernel.devices import Device, devices
from .kernel.hooks.base import CGROUP_POINTS, DEVICE_POINTS, Hook, OnHook, Point
from .kernel.system import seconds_since_boot
from .loader import counters
from .loader.ahead import endings, passed_by
from .loader.attached_devices import attached_indexes
from .loader.cgroups import Cgroups, attached_path, find_cgroups, needed_points
from .loader.closing import is_closed
from .loader.compose import (
    CGROUP_LEVELS,
    WORDS,
    Context,
    compose,
    compose_cgroup,
    compose_route_device,
    decode,
    identity_of,
)
from .loader.desired import given_values, require_privilege
from .loader.gro import Gro, drift_of_devices
from .loader.gro import find as find_gro
from .loader.hostfile import open_host_file
from .loader.journal import Setting
from .loader.journal import read as read_journal
from .loader.learned_paths import LearnedPath, learned_paths
from .loader.observe import Observed, Running, observe
from .loader.paths import Paths
from .loader.pins_elsewhere import require_pins
from .loader.route_device.drift import drift_of_route_device
from .loader.settings import drift_of_settings
from .loader.state import State, Totals, cgroup_name, cgroup_words, target_name
from .loader.state_files import Unreadable


class HookStatus(Record):
    """A hook that has, or should have, a program of ours, `on` a device or a cgroup.

    `since` is in seconds since the epoch, 0 if none runs.
    """

    on: str
    hook: Hook
    running: Running | None
    identity: str
    since: float
    programs: tuple[OnHook, ...]


class Status(Record):
    """`drift` says, a sentence each, what is not as applied; empty when all is well.

    `cgroups` holds the number of each that the spec or a row names, by its path, 0 as long as it is pending. `up` says
    whether our program is on every hook that should have it. Where the state is `unreadable`, only the kernel was
    asked.
    """

    name: str
    manifest: Manifest | None
    state: State | None
    hooks: tuple[HookStatus, ...]
    host: dict[str, str]  # in force, by source and family
    drift: tuple[str, ...]
    totals: Totals
    cgroups: dict[str, int] = field(default_factory=dict)
    up: bool = False
    unreadable: Unreadable | None = None
    settings: dict[str, Setting] = field(default_factory=dict)  # sysctls that the bundle has set
    gro: Gro = Gro()  # devices for received tunnel packets
    learned: tuple[LearnedPath, ...] = ()  # path MTUs of tunnel endpoints

    @property
    def counters(self) -> list[tuple[Counter, int, int]]:
        """Every counter with its packets and bytes."""
        known = self.manifest.counters if self.manifest else ()
        return [(c, *counters.total(self.totals, c)) for c in known]


def status(name: str, bundle: Manifest | None = None, bpffs: str = "", deep: bool = False) -> Status:
    """Look; change nothing. `bundle` is compared with what runs; `deep` reads every map that was filled.

    Raises DiagnosedError (H101, H110), KernelError.
    """
    require_privilege()
    paths = Paths.of(name, bpffs)
    require_pins(paths)
    found = _look(paths, bundle, deep)
    # An apply may just have moved what the first release left: then half of it was looked for where it is no more.
    return found if Paths.of(name, bpffs) == paths else status(name, bundle, bpffs, deep)


def _look(paths: Paths, bundle: Manifest | None, deep: bool) -> Status:
    name = paths.bundle
    observed = observe(paths)
    if observed.empty:
        words = f"{name} is not applied on this machine, in this network namespace"
        raise DiagnosedError([Diagnostic("H110", words, help=f"encapctl apply build/{name}")], Exit.DRIFT)
    state = observed.state
    manifest = state.manifest if state else None
    here = devices()
    expected = _expected(state, manifest)
    observed = observe(paths, [h for h in expected if h.point in CGROUP_POINTS or _there(h, here)])
    reader = manifest or bundle
    hooks = tuple(_hook(observed, hook, here, reader) for hook in sorted({*observed.hooks, *expected}, key=_place))
    drift = _drift_bundle(hooks, manifest, bundle)
    if state and manifest and bundle and bundle.identity == manifest.identity:
        drift += drift_from_bundle(state, bundle)
    cgroups: Cgroups | None = None
    if manifest and state:
        machine, found = _machine_now(manifest, state, here)
        drift += found
        if machine is not None:
            cgroups, found = _cgroups_now(manifest, state, machine)
            drift += [*_drift_host(manifest, state, observed, machine, cgroups), *found]
    known = set(cgroups.numbers.values()) if cgroups else set()
    # Where a cgroup is gone, that is what is said, and not that its programs are.
    still = [h for h in expected if h.point in DEVICE_POINTS or h.target in known]
    drift = [*_drift_devices(state, here), *_drift_hooks(hooks, still, manifest), *_drift_order(hooks, paths), *drift]
    left = (hook for _, hook in observed.stale if hook not in expected)
    drift += [f"a link on {_left_name(state, hook)} is left over: what it was on is gone" for hook in left]
    if observed.beside:
        drift.append("the first release has applied it too, beside what is here: apply again, which joins the two")
    if is_closed(name) and not (manifest is not None and manifest.route_device is not None):
        drift.append("its prefixes have no route, as before the first apply (`boot: closed`): apply again")
    if state is not None and manifest is not None:
        drift += drift_of_route_device(state)
        drift += [*drift_of_pins(state, observed), *drift_of_files(state, name)]
        drift += drift_of_entries(state, paths) if deep else []
    elif observed.unreadable is not None:
        drift.append(observed.unreadable.diagnostic(name).message)
    elif state is None:
        drift.append("what was applied is not written down any more: apply again")
    else:
        drift.append("the last apply did not finish: apply again")
    merging = find_gro(manifest, name, unmade=state.gro_unmade if state else {})
    drift += drift_of_devices(merging)
    first = next((h.running for h in hooks if h.running and h.hook.point in DEVICE_POINTS), None)
    host = decode(reader.host_members, first.host) if reader and first else {}
    host = {name: value for name, value in host.items() if name not in WORDS}
    numbers = dict(cgroups.numbers) if cgroups else dict.fromkeys(state.cgroups, 0) if state else {}
    up = manifest is not None and {h.hook for h in hooks if h.running} >= set(expected)
    totals = counters.totals(observed)
    settings: dict[str, Setting] = {}
    try:
        settings = read_journal(name).sysctls
    except DiagnosedError as error:  # what else is known of the bundle is shown all the same
        drift += [d.message for d in error.diagnostics]
    drift += drift_of_settings(settings)
    learned = learned_paths(paths, state.pins) if state is not None else ()
    return Status(
        name,
        manifest,
        state,
        hooks,
        host,
        tuple(drift),
        totals,
        numbers,
        up,
        observed.unreadable,
        settings,
        merging,
        learned,
    )


def _left_name(state: State | None, hook: Hook) -> str:
    return target_name(state, hook, f"{'cgroup' if hook.point in CGROUP_POINTS else 'device'} {hook.target}")


def _expected(state: State | None, manifest: Manifest | None) -> list[Hook]:
    if state is None or manifest is None:
        return []
    points = [Point(p.hook) for p in manifest.programs]
    devices = [Hook(i, point) for point in points if point in DEVICE_POINTS for i in state.devices.values()]
    if state.route_device is not None:
        devices += [Hook(state.route_device.index, point) for point in DEVICE_POINTS]
    numbers = [(state.cgroups.get(c.path, 0), needed_points(c)) for c in manifest.cgroups]
    return devices + [
        Hook(number, point) for point in points for number, needed in numbers if number and point in needed
    ]


def _there(hook: Hook, here: dict[str, Device]) -> bool:
    return hook.target in {d.index for d in here.values()}


def _place(hook: Hook) -> tuple[bool, Hook]:
    """Devices before cgroups."""
    return hook.point in CGROUP_POINTS, hook


def _hook(observed: Observed, hook: Hook, here: dict[str, Device], reader: Manifest | None) -> HookStatus:
    running = next((r for r in observed.running if r.hook == hook), None)
    identity = identity_of(reader, running.host) if reader and running else ""
    since = time.time() - seconds_since_boot() + running.load_time / 1e9 if running else 0.0
    unknown = f"{'cgroup' if hook.point in CGROUP_POINTS else 'device'} {hook.target}"
    name = target_name(observed.state, hook, unknown)
    if hook.point in DEVICE_POINTS:
        name = next((d.name for d in here.values() if d.index == hook.target), name)
    return HookStatus(name, hook, running, identity, since, tuple(observed.hooks.get(hook, ())))


def _drift_devices(state: State | None, here: dict[str, Device]) -> list[str]:
    """Attached devices that are gone, or others than they were under the same name."""
    found = []
    known = dict(state.devices) if state else {}
    if state is not None and state.route_device is not None:
        known[state.route_device.name] = state.route_device.index
    for name, number in known.items():
        device = here.get(name)
        if device is None:
            renamed = next((d.name for d in here.values() if d.index == number), "")
            found.append(f"device {name} is called {renamed} now" if renamed else f"device {name} is gone")
        elif device.index != number:
            found.append(f"device {name} was re-created ({number} -> {device.index}): our programs are not on it")
    return found


def _drift_hooks(hooks: tuple[HookStatus, ...], expected: list[Hook], manifest: Manifest | None) -> list[str]:
    found = []
    for hook in hooks:
        where = f"{hook.on} {hook.hook.point.word}"
        if hook.running is None and hook.hook in expected:
            found.append(f"{where}: our program is not there any more")
        elif hook.running is not None and manifest and hook.identity != manifest.runs:
            found.append(f"{where}: other code runs than was applied (an apply was interrupted, or is going on)")
    return found


def _drift_order(hooks: tuple[HookStatus, ...], paths: Paths) -> list[str]:
    """What runs before ours and keeps packets from it."""
    ours = {h.hook: (h.on, h.running.kind, h.running.program_id, h.programs) for h in hooks if h.running is not None}
    found = [words for hook, (on, kind, _, programs) in ours.items() for words in endings(on, hook, programs, kind)]
    for passed in passed_by(ours, paths):
        on, others = ours[passed.hook][0], ", ".join(o.name or f"program {o.program_id}" for o in passed.by)
        seen = f"{passed.packets} packets of the device, and ours saw none of them"
        found.append(f"{on} {passed.hook.point.word}: {others} runs before ours and ends the chain: {seen}")
    return found


def _drift_bundle(hooks: tuple[HookStatus, ...], manifest: Manifest | None, bundle: Manifest | None) -> list[str]:
    if bundle is None or manifest is None or bundle.identity == manifest.identity:
        return []
    words = f"another bundle is applied: {manifest.identity[:8]}, not {bundle.identity[:8]}"
    same = bundle.program and bundle.program == manifest.program
    return [f"{words}, which differs in texts for people alone" if same else words]


def _machine_now(manifest: Manifest, state: State, here: dict[str, Device]) -> tuple[Machine | None, list[str]]:
    """The host values, resolved again as the last apply did; or what is in the way."""
    findings = Findings()
    try:
        settings = [f"{name}={value}" for name, value in state.settings.items()]
        given = given_values(open_host_file(state.host_file), settings)
    except DiagnosedError as error:
        return None, [f"host values: {d.message}" for d in error.diagnostics]
    machine = resolve(manifest, given, here, findings)
    return (None, [d.message for d in findings.errors]) if findings.errors else (machine, [])


def _cgroups_now(manifest: Manifest, state: State, machine: Machine) -> tuple[Cgroups | None, list[str]]:
    """The cgroups that were looked for at the last apply, and where they differ."""
    attached = attached_path(manifest, machine)
    if not attached:
        return None, []
    findings = Findings()
    cgroups = find_cgroups(attached, state.cgroups, findings)
    if cgroups is None:
        return None, [d.message for d in findings.errors]
    if attached != state.cgroup:
        return cgroups, [f"cgroup: {state.cgroup} in force, {attached} in the host values"]
    found = []
    for path, before in state.cgroups.items():
        now, name = cgroups.numbers[path], cgroup_words(path)
        if before and not now:
            found.append(f"{name}: is gone")
        elif now and not before:
            found.append(f"{name}: has come, and is not known to the programs yet")
        elif now != before:
            found.append(f"{name}: is another one now, not the one that the programs know ({before} -> {now})")
    return cgroups, found


def _drift_host(
    manifest: Manifest, state: State, observed: Observed, machine: Machine, cgroups: Cgroups | None
) -> list[str]:
    """Compare the host values with those in force."""
    applied = state.route_device
    route = devices().get(applied.name) if applied is not None else None
    index = route.index if route is not None else 0
    context = Context(cgroups.attached.level if cgroups else 0, attached=attached_indexes(manifest, machine, index))
    instances = [compose(manifest, machine, device, context) for device in machine.attached]
    if route is not None:
        instances.append(compose_route_device(manifest, machine, route, context))
    for named in manifest.cgroups if cgroups else ():
        number = state.cgroups.get(named.path, 0)
        if named.hooks and number:
            instances.append(compose_cgroup(manifest, machine, named, number, context))
    found: dict[str, None] = {}
    for instance in instances:
        now = decode(manifest.host_members, instance.host)
        now.pop(CGROUP_LEVELS, None)  # the rows decide it, which are not read here
        hooks = {Hook(instance.target.number, point) for point in instance.target.points}
        for running in observed.running:
            if running.hook not in hooks or len(running.host) != manifest.host_layout.size:
                continue
            before = decode(manifest.host_members, running.host)
            on = instance.target.name if instance.target.points == DEVICE_POINTS else cgroup_name(instance.target.name)
            for name in now:
                if before[name] != now[name]:
                    found[f"{name}: {before[name]} in force, {now[name]} on the machine ({on})"] = None
    gone = set(state.devices) - {d.name for d in machine.attached}
    return [*found, *(f"{name} is attached, but the host values no longer say so" for name in sorted(gone))]
