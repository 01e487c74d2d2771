"""Making the machine run a bundle, in an order in which every intermediate state is a working one.

1. Load all programs; the kernel may refuse, and nothing has changed.
2. Write rows that are new or changed; old ones stay, so that old and new programs both find theirs.
3. Pin new maps. Take programs off cgroups whose sockets may choose no longer, before nothing follows their choice.
4. Replace or attach hooks one by one, each in one step, in the order of `Point`: choosing begins when it is followed.
5. Lead packets to the route device. Take programs off the other hooks that are no longer wanted; delete rows that are
   no more; carry counters over; drop old maps.

Killed anywhere, the next apply finds what is there and goes on from it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from ..common.diagnostics import DiagnosedError, Diagnostic, Exit
from ..common.record import Record
from .applied_state import applied_state
from .continuity import lost
from .kernel.errors import FullError, KernelError, NotFoundError
from .kernel.hooks.base import CGROUP_POINTS, Hook, Point
from .kernel.hooks.choose import KINDS
from .kernel.maps import Map
from .kernel.pins import open_map, pin
from .kernel.programs import Program
from .loader import counters
from .loader.adopt import adopt, drop_former
from .loader.closing import lift
from .loader.desired import Request, open_ready, paths_of
from .loader.erase import erase
from .loader.first_release import held
from .loader.gro import carry_out as carry_out_gro
from .loader.instances import load
from .loader.journal import forget
from .loader.kept import refresh
from .loader.layout_ids import COUNTERS
from .loader.observe import observe
from .loader.program_pins import drop_all_but, keep
from .loader.route_device.steps import begin, close, give_up, open_
from .loader.second_look import confirm
from .loader.settings import give_back, put
from .loader.state import State, Totals, from_another_namespace, new_state
from .loader.state_files import load as load_state
from .loader.state_files import save
from .plan import ATTACH, DETACH, KEEP, SWITCH, HookChange, MapChange, Plan, plan


class Applied(Record):
    """What was done: the plan, and the hooks that were changed."""

    plan: Plan
    seconds: float


def apply(request: Request) -> Applied:
    """Bring the machine to what the bundle says. Raises DiagnosedError; KernelError if a later step is refused."""
    begun = time.monotonic()
    bundle = open_ready(request)  # before the lock, whose directory needs privilege
    with held(paths_of(request, bundle), request.patience) as paths:
        for each in (paths, *([paths.named(paths.former)] if paths.former else ())):
            if from_another_namespace(load_state(each.state)):
                erase(each)
        planned = plan(request, bundle)
        if planned.refused:
            raise DiagnosedError(planned.refused, planned.refusal)
        if planned.desired.route_device is not None and planned.route_device.begins:
            desired = planned.desired
            begin(desired.manifest.name, desired.paths.former, planned.desired.route_device, desired.route_device_seen)
            begun_with = planned.route_device
            planned = plan(request, bundle)  # now the device has a number
            if begun_with.make:  # for people, it is still this apply that makes it
                planned = replace(planned, route_device=replace(planned.route_device, make=True, mend=()))
        before = counters.totals(planned.observed)
        if planned.touches:
            with ExitStack() as stack:
                _carry_out(planned, stack)
        else:
            _remember(planned)
        _look_again(planned)
        _look_at_counters(planned, before)
        _make_gro_devices(planned)
        if planned.desired.route_device is None:
            lift(bundle.manifest.name)  # last: from here on every program is in force
    _refresh_copy(planned, request)
    return Applied(planned, time.monotonic() - begun)


def _make_gro_devices(planned: Plan) -> None:
    """Make them, and write down which ones the machine refuses."""
    paths = planned.desired.paths.named(planned.desired.paths.bundle)
    unmade = carry_out_gro(planned.desired.manifest, planned.desired.paths.former, planned.findings)
    state = load_state(paths.state)
    if state is not None and state.gro_unmade != unmade:
        save(paths.state, replace(state, gro_unmade=unmade))


def _refresh_copy(planned: Plan, request: Request) -> None:
    """What the machine boots from is what was applied last. Where that fails, the apply is done all the same: H147."""
    try:
        refresh(planned.desired, request)
    except (OSError, KernelError, DiagnosedError) as error:
        words = f"applied, but the copy that this machine boots from could not be written: {error}"
        planned.findings.warning("H147", words, help="make room there, and apply again")


def _look_at_counters(planned: Plan, before: Totals) -> None:
    """Say (H154) which of the counters of `before` did not go on."""
    paths = planned.desired.paths
    gone = lost(planned, before, observe(paths.named(paths.bundle)))
    planned.findings.extend([gone] if gone else [])


def _look_again(planned: Plan) -> None:
    """Drop the pins of programs that run no more. Raises DiagnosedError if what was meant is not in force."""
    desired = planned.desired
    paths = desired.paths.named(desired.paths.bundle)
    seen = observe(paths, [hook for _, _, hook in desired.hooks()])
    drop_all_but(paths, [r.program_id for r in seen.running], [m for r in seen.running for m in r.map_ids])
    found = confirm(desired, seen)
    if found:
        raise DiagnosedError(found, Exit.KERNEL)


def _carry_out(planned: Plan, stack: ExitStack) -> None:
    desired, paths = planned.desired, planned.desired.paths
    existing = {m.map: stack.enter_context(open_map(m.existing.path)) for m in planned.maps if m.existing}
    loaded = load(desired, planned.loaded, existing, stack)
    if planned.observed.former_left:
        observed = replace(planned.observed, state=adopt(paths))
        moved = tuple(replace(p, path=paths.maps / p.path.name) for p in planned.leftovers)
        planned = replace(planned, observed=observed, leftovers=moved)
    before = _remember_cgroups(planned)
    for change in _sets_first(planned.maps):
        _write(change, loaded.maps[change.map])
    state = _remember_counters(planned, before)
    pins = _pin_new(planned, loaded.maps)
    keep(paths, loaded.programs.values(), loaded.hosts)
    put(paths.bundle, paths.former, desired.settings_wanted)
    # Where an attached device does not encapsulate yet, as after a reboot, the table may be what keeps prefixes closed.
    begins = any(h.action == ATTACH and h.hook.point is Point.EGRESS for h in planned.hooks)
    if desired.route_device is None and planned.route_device.any and not begins:
        for bundle in filter(None, (paths.bundle, paths.former)):
            close(bundle)  # before its program goes; the programs of the attached devices take its packets
    here, gone = _in_order(planned.hooks)
    _carry_out_hooks(planned, here, loaded.programs)
    _route(planned)
    _carry_out_hooks(planned, gone, loaded.programs)  # of another route device too, to which nothing is led any more
    for kind, stale in planned.swept:
        KINDS[kind].detach(paths.owner, stale)
    if planned.observed.former_left:
        drop_former(paths)
    for change in reversed(_sets_first(planned.maps)):
        if change.existing is not None and change.write.delete:
            loaded.maps[change.map].delete(change.write.delete)
    state = _carry_counters(planned, state, pins)
    for leftover in planned.leftovers:
        leftover.path.unlink(missing_ok=True)
    save(paths.state, state)


def _route(planned: Plan) -> None:
    """Lead packets to the route device, or take it away: before old rows go, and with every program attached."""
    desired, paths = planned.desired, planned.desired.paths
    try:
        if desired.route_device is not None:
            open_(paths.bundle, paths.former, desired.route_device)
        elif planned.route_device.any:
            give_up(paths.bundle)
        give_back(paths.bundle, desired.settings_wanted)
        if paths.former:
            give_up(paths.former)
            forget(paths.former)
    except KernelError as error:
        words = f"the route device or its routes could not be changed: {error}"
        fix = "every program is in force. Mend the cause and apply again"
        raise DiagnosedError([Diagnostic("K208", words, help=fix)], Exit.KERNEL) from None


def _sets_first(changes: Sequence[MapChange]) -> list[MapChange]:
    """What a row leads to must be known for a tunnel endpoint as long as the row is there: its packets pass by it."""
    return sorted(changes, key=lambda change: change.content is not None and change.content.kind == "rows")


def _write(change: MapChange, target: Map) -> None:
    if not change.write.write.count:
        return
    try:
        target.update(change.write.write)
    except FullError:
        words = f"map {change.map} is full: it holds {target.info.max_entries} entries"
        raise DiagnosedError([Diagnostic("B308", words, help="raise `capacity` in the spec")], Exit.SPEC) from None
    except KernelError as error:
        raise DiagnosedError(
            [Diagnostic("K209", f"map {change.map} cannot be written: {error}")], Exit.KERNEL
        ) from None


def _remember_cgroups(planned: Plan) -> State | None:
    """Write down the numbers of cgroups before maps hold them: they stay there when the cgroup goes, killed or not."""
    state, cgroups = planned.observed.state, planned.desired.cgroups
    if state is None or cgroups is None or not planned.cgroups:
        return state
    now = ((path, number, cgroups.former.get(path, ())) for path, number in cgroups.numbers.items())
    known = replace(state, former={path: [number, *former] for path, number, former in now if number or former})
    save(planned.desired.paths.state, known)
    return known


def _remember_counters(planned: Plan, before: State | None) -> State:
    """Write down how the new counters are laid out before anything counts in them."""
    desired = planned.desired
    state = before or new_state()
    if COUNTERS in desired.layouts:
        known = state.with_counters(desired.layouts[COUNTERS], desired.manifest.counters)
        if known != state or before is None:
            save(desired.paths.state, known)
        return known
    return state


def _pin_new(planned: Plan, maps: Mapping[str, Map]) -> dict[str, str]:
    """Pin the maps that were made, under a name that says their layout and the kernel's id; the name of every pin."""
    desired = planned.desired
    names = {}
    for change in planned.maps:
        if change.existing is None:
            made = maps[change.map]
            names[change.map] = f"{change.map}-{desired.layouts[change.map]}-{made.info.id}"
            pin(made.fd, desired.paths.maps / names[change.map])
        else:
            names[change.map] = change.existing.path.name
    return names


def _in_order(changes: Sequence[HookChange]) -> tuple[list[HookChange], list[HookChange]]:
    """What is done to hooks, in the order that the head of this file explains: first, and with packets routed again."""

    def step(change: HookChange) -> tuple[int, int]:
        rank = change.hook.point.rank
        if change.action == DETACH:  # what chooses before those that follow it
            return 0 if rank > Point.EGRESS.rank else 2, -rank
        return 1, rank

    wanted = sorted((c for c in changes if c.action != KEEP), key=step)
    return [c for c in wanted if step(c)[0] < 2], [c for c in wanted if step(c)[0] == 2]


def _carry_out_hooks(planned: Plan, changes: Sequence[HookChange], programs: Mapping[Hook, Program]) -> None:
    """Raises DiagnosedError (K208)."""
    for change in changes:
        try:
            _carry_out_hook(planned, change, programs)
        except KernelError as error:
            words = f"a hook of {change.on} could not be changed: {error}"
            fix = (
                "hooks before it have changed, hooks after it have not; every mix works. Mend the cause and apply again"
            )
            raise DiagnosedError([Diagnostic("K208", words, help=fix)], Exit.KERNEL) from None


def _carry_out_hook(planned: Plan, change: HookChange, programs: Mapping[Hook, Program]) -> None:
    """Raises KernelError, but not for a cgroup that has just gone: it has no sockets, and the next run sees it gone."""
    owner, hook = planned.desired.paths.owner, change.hook
    if change.action == DETACH:
        KINDS[change.kind].detach(owner, hook)
        return
    try:
        if change.action == SWITCH:
            # First the same program on both: an older one need not know what this one encapsulates.
            KINDS[change.old_kind].attach(owner, hook, programs[hook].fd)
        KINDS[change.kind].attach(owner, hook, programs[hook].fd)
    except NotFoundError:
        if hook.point not in CGROUP_POINTS:
            raise
    if change.action == SWITCH:
        # On both for a moment: what one has encapsulated the other passes, what one has decapsulated is plain.
        KINDS[change.old_kind].detach(owner, hook)


def _carry_counters(planned: Plan, state: State, pins: dict[str, str]) -> State:
    """Add up what counters maps of older layouts had counted, before their pins go; then the applied state."""
    desired, carried = planned.desired, dict(state.carried)
    for old in (p for p in planned.leftovers if p.map == COUNTERS):
        carried[str(old.id)] = counters.read_pinned(old, state.counter_layouts)
    applied = applied_state(planned, replace(state, carried=carried), pins)
    applied = replace(applied, applied_at=time.time())
    # In this order a kill loses nothing: with the pin still there, its live totals count instead of the carried ones.
    save(desired.paths.state, replace(applied, counter_layouts=state.counter_layouts))
    return applied


def _remember(planned: Plan) -> None:
    """Where nothing changes in the kernel, what was asked for may still differ: settings, files, texts for people."""
    before = planned.observed.state
    if before is None:
        return
    pins = {m.map: m.existing.path.name for m in planned.maps if m.existing is not None}
    now = applied_state(planned, before, pins)
    if now != before:
        save(planned.desired.paths.state, now)
