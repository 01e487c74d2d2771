"""What `apply` would do: the difference between a bundle with its host values and what is in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from ..common.diagnostics import DiagnosedError, Diagnostic, Exit, Findings, Severity
from ..common.manifest import Manifest, RuleSummary
from ..common.record import Record
from .kernel.hooks.base import CGROUP_POINTS, Hook, OnHook
from .kernel.pins import open_map
from .loader import gro
from .loader.ahead import endings
from .loader.bundle import Bundle
from .loader.compose import Instance, decode, identity_of
from .loader.contents import Content
from .loader.desired import Desired, Request, open_ready, paths_of, prepare
from .loader.layout_ids import fits
from .loader.learned_paths import LearnedPath, learned_paths
from .loader.observe import Observed, PinnedMap, Running, observe
from .loader.overlaps import OVERLAPS, check_overlaps
from .loader.removals import Removal
from .loader.removals import refused as removals_refused
from .loader.route_device import Change as RouteDeviceChange
from .loader.route_device import change as route_device_change
from .loader.route_device.obstacles import check_obstacles
from .loader.rowdiff import NOTHING, Difference, difference, whole
from .loader.scope import Scope, find_scope
from .loader.settings import unset, unwritten
from .loader.state import State, cgroup_name, target_name

KEEP, ATTACH, REPLACE, SWITCH, DETACH = "keep", "attach", "replace", "switch", "detach"


class HookChange(Record):
    """What happens on one hook. `switch` puts our program on by another attach kind, then takes the old one off.

    `on` is the name of the device, or the path of the cgroup below the attached one.
    """

    on: str
    hook: Hook
    action: str
    kind: str
    program: str  # the C function; empty when it is only detached
    why: str
    programs: tuple[OnHook, ...]  # on the hook now
    instance: Instance | None = None
    old_kind: str = ""


class MapChange(Record):
    """What happens to one shared map. Without `existing` it is made new, or made again because it could not hold both
    old and new entries; then `write` is all of it, while `difference` still counts what changes for people.
    """

    map: str
    existing: PinnedMap | None
    content: Content | None
    difference: Difference
    write: Difference

    @property
    def changed(self) -> bool:
        return self.existing is None or self.difference.any


class CgroupChange(Record):
    """A cgroup that the spec or a row names is there, is gone, or is another one than it was; 0 where there is none."""

    path: str
    before: int
    after: int


class RuleChange(Record):
    """A rule that is added (+), removed (-) or changed (~)."""

    sign: str
    rule: RuleSummary
    before: str = ""


class Plan(Record):
    """`leftovers` are pins of maps that nothing uses any more. `findings` are the warnings met on the way.

    `scope` says whose sockets rules see, None where no rule asks for sockets or cgroups.
    """

    desired: Desired
    observed: Observed
    hooks: tuple[HookChange, ...]
    maps: tuple[MapChange, ...]
    rules: tuple[RuleChange, ...]
    leftovers: tuple[PinnedMap, ...]
    findings: Findings
    cgroups: tuple[CgroupChange, ...] = ()
    refused: tuple[Diagnostic, ...] = ()  # why apply would not carry it out
    scope: Scope | None = None
    obstacles: tuple[str, ...] = ()  # filters before ours that end the chain, which apply cannot mend
    route_device: RouteDeviceChange = field(default_factory=lambda: RouteDeviceChange(None))
    settings: Mapping[str, str] = field(default_factory=dict)  # sysctls that are not as needed, with what they are
    settings_unwritten: bool = False
    gro: gro.Gro = gro.Gro()  # devices for received tunnel packets
    learned: tuple[LearnedPath, ...] = ()  # path MTUs of tunnel endpoints, as the running programs know them

    @property
    def refusal(self) -> Exit:
        """With which exit code apply refuses."""
        overlap = all(d.code in OVERLAPS for d in self.refused)
        return Exit.MACHINE if overlap else Exit.SPEC

    @property
    def swept(self) -> list[tuple[str, Hook]]:
        """Attach kind and hook of what is left over. Where a program is attached again, that has taken its place."""
        taken = {(h.kind, h.hook) for h in self.hooks if h.action != DETACH}
        return [left for left in self.observed.stale if left not in taken]

    @property
    def loaded(self) -> list[Instance]:
        """The instances whose programs have to be loaded. Where a map is new, these are all."""
        changed = {h.hook for h in self.hooks if h.action != KEEP}
        return list(dict.fromkeys(i for i, _, hook in self.desired.hooks() if hook in changed))

    @property
    def touches(self) -> bool:
        """Whether anything in the kernel changes, or the first apply has not finished."""
        return (
            any(h.action != KEEP for h in self.hooks)
            or any(m.changed for m in self.maps)
            or bool(self.leftovers or self.observed.stale or self.cgroups or self.observed.former_left)
            or self.observed.beside
            or self.observed.state is None
            or self.observed.state.manifest is None
            or self.route_device.any
            or bool(self.settings)
            or self.settings_unwritten
        )

    @property
    def changed(self) -> bool:
        """The same, or that another bundle of the same program is to be recorded: it differs in what people read."""
        before = self.observed.state.manifest if self.observed.state else None
        other = before is None or before.identity != self.desired.manifest.identity
        return self.touches or other or bool(self.gro.changes)


def plan(request: Request, bundle: Bundle | None = None) -> Plan:
    """Look at the bundle and the machine; change nothing. Raises DiagnosedError (H152 and more), KernelError."""
    bundle = bundle or open_ready(request)
    before = observe(paths_of(request, bundle))
    unread = before.unreadable.diagnostic(bundle.manifest.name) if before.unreadable is not None else None
    if unread is not None and unread.severity is Severity.ERROR:
        raise DiagnosedError([unread], Exit.MACHINE)
    desired = prepare(request, bundle, before)
    desired.findings.extend([unread] if unread is not None else [])
    observed = observe(desired.paths, [hook for _, _, hook in desired.hooks()])
    maps = tuple(_map_changes(desired, observed))
    hooks = tuple(_hook_changes(desired, observed, maps))
    kept = {m.existing.id for m in maps if m.existing}
    leftovers = tuple(p for p in observed.pins if p.id not in kept)
    old = observed.state.manifest if observed.state else None
    rules = tuple(rule_changes(old, desired.manifest))
    cgroups = tuple(_cgroup_changes(observed.state, desired))
    removals = _removals(observed.state, desired, maps)
    refused = removals_refused(removals, desired.limits, desired.allow_removals)
    refused = [*refused, *_overlaps(request, desired, observed)]
    known = desired.cgroups
    scope = find_scope(desired.manifest, known, desired.findings) if known is not None else None
    found = desired.findings
    if desired.route_device is not None:
        check_obstacles(desired.manifest, desired.route_device, desired.machine, found)
    obstacles = _obstacles(hooks, found)
    unmade = observed.state.gro_unmade if observed.state else {}
    merging = gro.find(desired.manifest, desired.manifest.name, desired.paths.former, unmade)
    learned = learned_paths(desired.paths, observed.state.pins) if observed.state is not None else ()
    return Plan(
        desired,
        observed,
        hooks,
        maps,
        rules,
        leftovers,
        found,
        cgroups,
        tuple(refused),
        scope,
        obstacles,
        route_device_change(desired.route_device, desired.route_device_seen),
        unset(desired.settings_wanted),
        unwritten(desired.manifest.name, desired.settings_wanted),
        merging,
        learned,
    )


def _obstacles(hooks: tuple[HookChange, ...], findings: Findings) -> tuple[str, ...]:
    """Filters that end the chain before ours, or will: H133 for each."""
    wanted = (h for h in hooks if h.action != DETACH)
    found = tuple(words for h in wanted for words in endings(h.on, h.hook, h.programs, h.kind))
    for words in found:
        fix = "give it `continue` as its last action, a larger pref than 49000, or remove it"
        findings.warning("H133", words, help=f"{fix}; on a kernel with TCX, --attach tcx runs before all filters")
    return found


def _overlaps(request: Request, desired: Desired, observed: Observed) -> list[Diagnostic]:
    """Why the bundle should not run beside another one. What runs already, or was allowed, is warned of."""
    found = check_overlaps(desired, observed)
    errors = [d for d in found if d.severity is Severity.ERROR]
    if observed.running or request.allow_overlap:
        errors = []
    rest = (d for d in found if d not in errors)
    desired.findings.extend(d._replace(severity=Severity.WARNING) for d in rest)
    return errors


def _removals(state: State | None, desired: Desired, maps: Sequence[MapChange]) -> list[Removal]:
    """Entries of tables and prefix sets that go. Where a map is made again, what the last apply wrote is compared.

    Of a table by cgroup, the rows of the files are: its entries go and come with the cgroups.
    """
    found = []
    by_cgroup = {t.name for t in desired.manifest.tables if any(c.type == "cgroup" for c in t.columns)}
    for change in maps:
        content, known = change.content, state.filled.get(change.map) if state else None
        if content is None or content.kind not in ("rows", "prefixes"):
            continue
        before = change.difference.kept + change.difference.removed
        removed = change.difference.removed
        left = content.entries.count
        if content.table in by_cgroup:
            before, left = known.rows if known is not None else 0, desired.wanted.rows[content.table].count
            removed = max(before - left, 0)
        elif not before and known is not None:
            before, removed = known.count, max(known.count - left, 0)
        what = f"table {content.table}" if content.table else f"prefix set {change.map}"
        found.append(Removal(what, content.file, before, removed, left))
    return found


def _map_changes(desired: Desired, observed: Observed) -> list[MapChange]:
    contents = {c.map: c for c in desired.wanted.contents}
    return [_map_change(desired, observed, name, contents.get(name)) for name in desired.layouts]


def _map_change(desired: Desired, observed: Observed, name: str, content: Content | None) -> MapChange:
    pinned = observed.in_force(name, desired.layouts[name])
    nothing = whole(NOTHING)
    if pinned is None:
        all_of_it = whole(content.entries) if content else nothing
        return MapChange(name, None, content, all_of_it, all_of_it)
    with open_map(pinned.path) as existing:
        if not fits(desired.definitions[name], existing.info):
            all_of_it = whole(content.entries) if content else nothing
            return MapChange(name, None, content, all_of_it, all_of_it)
        if content is None:
            return MapChange(name, pinned, None, nothing, nothing)
        found = difference(existing, content.entries)
        if found.kept + found.removed + found.added > existing.info.max_entries:
            # Old and new rows do not fit side by side, and old ones may go only after the swap.
            return MapChange(name, None, content, found, whole(content.entries))
        return MapChange(name, pinned, content, found, found)


def _hook_changes(desired: Desired, observed: Observed, maps: tuple[MapChange, ...]) -> list[HookChange]:
    running = {r.hook: r for r in observed.running if r.kind == desired.kind(r.hook).name}
    others = {r.hook: r for r in observed.running if r.kind != desired.kind(r.hook).name}
    changes = []
    for instance, program, hook in desired.hooks():
        kind = desired.kind(hook).name
        on_hook = tuple(observed.hooks.get(hook, ()))
        here, elsewhere = running.pop(hook, None), others.pop(hook, None)
        if here is None and elsewhere is None:
            action, why = ATTACH, ""
        elif elsewhere is not None:
            action, why = SWITCH, f"{elsewhere.kind} -> {kind}"
        else:
            assert here is not None
            why = _why_replace(desired, observed, maps, instance, here)
            action = REPLACE if why else KEEP
        old_kind = elsewhere.kind if elsewhere else ""
        on = _on(instance)
        changes.append(HookChange(on, hook, action, kind, program, why, on_hook, instance, old_kind))
    names = {Hook(i.target.number, point): _on(i) for i in desired.instances for point in i.target.points}
    for left in (*running.values(), *others.values()):
        name = names.get(left.hook) or target_name(observed.state, left.hook, _unnamed(left.hook))
        on_hook = tuple(observed.hooks.get(left.hook, ()))
        why = "no longer in the spec or host values"
        changes.append(HookChange(name, left.hook, DETACH, left.kind, "", why, on_hook))
    return changes


def _on(instance: Instance) -> str:
    return cgroup_name(instance.target.name) if instance.target.points <= CGROUP_POINTS else instance.target.name


def _unnamed(hook: Hook) -> str:
    return f"{'cgroup' if hook.point in CGROUP_POINTS else 'device'} {hook.target}"


def _cgroup_changes(state: State | None, desired: Desired) -> list[CgroupChange]:
    """Against the last apply; of one that was not known then, only that it is there."""
    known = state.cgroups if state and desired.cgroups and state.cgroup == desired.cgroups.attached.path else {}
    now = desired.cgroups.numbers if desired.cgroups else {}
    both = ((path, known.get(path, 0), number) for path, number in now.items())
    return [CgroupChange(path, before, after) for path, before, after in both if before != after]


def _why_replace(
    desired: Desired, observed: Observed, maps: tuple[MapChange, ...], instance: Instance, here: Running
) -> str:
    """Why the running program is not what it should be; empty if it is."""
    manifest = desired.manifest
    old = observed.state.manifest if observed.state else None
    if identity_of(manifest, here.host) != manifest.runs:
        known = old is not None and identity_of(old, here.host) == old.runs
        return f"code {old.runs[:8] if old and known else 'unknown'} -> {manifest.runs[:8]}"
    if here.host != instance.host:
        before, after = decode(manifest.host_members, here.host), decode(manifest.host_members, instance.host)
        return "host values: " + ", ".join(f"{k} {before[k]} -> {after[k]}" for k in after if before[k] != after[k])
    current = {m.map: m.existing.id for m in maps if m.existing is not None}
    fresh = [m.map for m in maps if m.existing is None]
    old_ids = {p.id for p in observed.pins if current.get(p.map) != p.id}
    if fresh or old_ids & set(here.map_ids):
        return f"new map{'s' if len(fresh) > 1 else ''} {', '.join(fresh)}" if fresh else "maps of another layout"
    if manifest.program:  # it is known that the object is another one only for people and debuggers
        return ""
    if observed.state is None or observed.state.object_sha256 != desired.bundle.object_sha256:
        return "the object was built again"
    return ""


def rule_changes(old: Manifest | None, new: Manifest) -> list[RuleChange]:
    """Rules by name: what another manifest has more, less or different. Without an old one, all are added."""
    before: Mapping[str, RuleSummary] = {r.name: r for r in old.rules} if old else {}
    after = {r.name: r for r in new.rules}
    changes = []
    for name, rule in after.items():
        if name not in before:
            changes.append(RuleChange("+", rule))
        elif (rule.digest, rule.text) != (before[name].digest, before[name].text):
            changes.append(RuleChange("~", rule, before[name].text))
    changes += [RuleChange("-", rule) for name, rule in before.items() if name not in after]
    return changes
