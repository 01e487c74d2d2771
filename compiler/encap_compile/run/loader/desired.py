"""What this machine should run: a bundle, its host values, its instances and its maps' contents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from ...common.diagnostics import DiagnosedError, Diagnostic, Exit, Findings, Severity
from ...common.manifest import Manifest
from ...common.record import Record
from ...common.suggest import closest
from ..host_values import Machine, resolve
from ..kernel.bpffs import require_bpffs
from ..kernel.devices import devices
from ..kernel.errors import LoadRefusedError
from ..kernel.hooks.base import AttachKind, Hook, Point
from ..kernel.hooks.choose import AUTO, KINDS, TC, choose, kind_of
from ..kernel.objects import BpfObject, MapDefinition
from ..kernel.system import (
    NEEDED,
    in_first_user_namespace,
    kernel_release,
    kernel_version,
    missing_capabilities,
    version_of,
)
from ..kernel.table_routes import Network
from ..kernel.uapi import BPF_MAP_TYPE_SK_STORAGE
from .adopt import validate, with_former
from .attached_devices import attached_indexes, check_attached
from .bundle import Bundle, open_bundle
from .cgroup_contents import with_cgroups
from .cgroups import Cgroups, attached_path, depth, find_cgroups
from .compose import Context, Instance, compose, compose_cgroup, compose_route_device
from .contents import Wanted, check_stacks, wanted_contents
from .hostfile import SECTIONS, Given, HostFile, open_host_file, read_settings
from .layout_ids import COUNTERS, HOST_SECTION, layout_hashes
from .lock import FOR_EVER, Patience
from .observe import Observed
from .paths import Paths
from .pins_elsewhere import require_same_bpffs
from .removals import DEFAULT_LIMITS, Limits
from .route_device import Seen, decide
from .route_device import Wanted as RouteDevice
from .route_device import look as look_for_route_device
from .route_device.decide import subnets_but
from .segmentation import check_segmentation
from .settings import wanted_settings
from .state_files import look

VERY_LIKE = 0.8  # in place of `closest`'s own: other bundles have names and host values of their own


class Request(Record):
    """What the command line said. Empty strings mean: as the environment or the default has it."""

    bundle: Path
    rows: Mapping[str, Path] = field(default_factory=dict)
    host_file: str = ""
    settings: Sequence[str] = ()
    attach: str = ""
    bpffs: str = ""
    patience: Patience = FOR_EVER
    replace: str = ""  # the name of another bundle, whose hooks are taken over
    allow_removals: int = 0  # entries of each table that may go; see `run.loader.removals`
    allow_overlap: bool = False  # beside a bundle whose rules take the same packets
    kept: str = ""  # the bundle is the copy that this machine boots from, of this name


class Desired(Record):
    """`layouts` and `definitions` are of the maps by their name in the C; `attach` is the attach kind of TC hooks.

    `cgroups` are those that the spec or a row names, None if the bundle has nothing to do with cgroups. `limits` and
    `allow_removals` say how many entries of a table may go. `route_device` is what should be there of one, and
    `route_device_seen` what is.
    """

    bundle: Bundle
    paths: Paths
    machine: Machine
    instances: tuple[Instance, ...]
    wanted: Wanted
    layouts: Mapping[str, str]
    definitions: Mapping[str, MapDefinition]
    attach: AttachKind
    host_file: str
    settings: Mapping[str, str]
    findings: Findings
    cgroups: Cgroups | None = None
    limits: Limits = DEFAULT_LIMITS
    allow_removals: int = 0
    route_device: RouteDevice | None = None
    route_device_seen: Seen = field(default_factory=Seen)
    settings_wanted: Mapping[str, str] = field(default_factory=dict)  # sysctls
    subnets: frozenset[Network] = frozenset()  # that this machine is on, but by the route device

    @property
    def manifest(self) -> Manifest:
        return self.bundle.manifest

    def hooks(self) -> list[tuple[Instance, str, Hook]]:
        """Instance, program and hook, for people: each device's and then each cgroup's, in the order of `Point`."""
        return [
            (instance, p.program, Hook(instance.target.number, Point(p.hook)))
            for instance in self.instances
            for p in sorted(instance.programs(self.manifest), key=lambda p: Point(p.hook).rank)
        ]

    def kind(self, hook: Hook) -> AttachKind:
        """The attach kind that the hook takes."""
        return kind_of(hook.point, self.attach)


def require_privilege(*more: int) -> None:
    """The capabilities that every verb needs, and `more`. Raises DiagnosedError (H101)."""
    missing = missing_capabilities(*NEEDED, *more)
    if missing:
        words = f"{', '.join(missing)} missing: programs cannot be looked at or loaded"
        raise DiagnosedError(
            [Diagnostic("H101", words, help="run it as root, or with these capabilities")], Exit.MACHINE
        )
    if not in_first_user_namespace():
        words = "this process is in a user namespace, whose capabilities do not count: programs cannot be loaded"
        raise DiagnosedError([Diagnostic("H101", words, help="run it in the machine's user namespace")], Exit.MACHINE)


def require_kernel(manifest: Manifest) -> None:
    """Raises DiagnosedError (K203)."""
    if kernel_version() < version_of(manifest.kernel):
        words = f"this machine runs kernel {kernel_release()}; {manifest.name} needs {manifest.kernel}"
        newer = [
            f"{name} ({since})" for name, since in manifest.features.items() if version_of(since) > kernel_version()
        ]
        fix = f"needing a newer kernel: {', '.join(newer)}" if newer else "compile it with a lower `kernel` in the spec"
        raise DiagnosedError([Diagnostic("K203", words, help=fix)], Exit.KERNEL)


def open_ready(request: Request) -> Bundle:
    """Open and check the bundle, the kernel's version and this process's privilege. Raises DiagnosedError."""
    bundle = open_bundle(request.bundle, request.rows)
    require_kernel(bundle.manifest)
    require_privilege()
    return bundle


def paths_of(request: Request, bundle: Bundle) -> Paths:
    """Where the bundle's things are, and of the one that it replaces. Raises DiagnosedError (H140)."""
    return with_former(Paths.of(bundle.manifest.name, request.bpffs), request.replace)


def given_values(host_file: HostFile, settings: Sequence[str]) -> dict[str, Given]:
    """All given host values, --set over the file. Raises DiagnosedError (H103)."""
    return {**host_file.values, **read_settings(settings)}


def validate_host_file(file: HostFile, manifest: Manifest, findings: Findings) -> None:
    """H160, H161: keys of the host file that are most likely meant for this bundle, and misspelt."""
    declared = {h.name for h in manifest.host}
    for name, value in file.values.items():
        if name in declared:
            continue
        near = closest(name, declared - file.values.keys())
        section = closest(name, SECTIONS, VERY_LIKE) if near is None else None
        if near is not None:
            words = f"`{name}` is no host value of {manifest.name}, and `{near}` is not given: it is ignored"
            findings.warning("H160", words, value.place, f"did you mean `{near}`?")
        elif section is not None:
            words = f"`{name}` is no host value of {manifest.name}, and no mapping: it is ignored"
            findings.warning("H160", words, value.place, f"did you mean `{SECTIONS[section]}`?")
    _validate_rows(file, manifest, findings)


def _validate_rows(file: HostFile, manifest: Manifest, findings: Findings) -> None:
    tables = {t.name for t in manifest.tables if t.file}
    for entry in file.rows:
        if entry.bundle in ("", manifest.name):
            near = closest(entry.table, tables) if entry.table not in tables else None
            if near is not None or (entry.bundle and entry.table not in tables):
                words = f"rows: {manifest.name} has no table `{entry.table}` with rows in a file: it is ignored"
                fix = f"did you mean `{near}`?" if near else f"tables: {', '.join(sorted(tables)) or 'none'}"
                findings.warning("H161", words, entry.place, fix)
        elif entry.table in tables and _misspelt(entry.bundle, manifest.name, file):
            words = f"rows: nothing of a bundle `{entry.bundle}` is on this machine: it is ignored"
            findings.warning("H161", words, entry.place, f"did you mean `{manifest.name}/{entry.table}`?")


def _misspelt(bundle: str, name: str, file: HostFile) -> bool:
    """Whether a bundle that the host file has rows of is most likely this one, and no other that the machine has."""
    if closest(bundle, [name], VERY_LIKE) is None or any(entry.bundle == name for entry in file.rows):
        return False
    return look(Paths.of(bundle).state) is None


def prepare(request: Request, bundle: Bundle, before: Observed) -> Desired:
    """Resolve everything that can be known before loading; changes nothing, but for mounting a missing bpf filesystem.

    `before` is what is in force: `auto` keeps its attach kind. Raises DiagnosedError with all findings. The bundle
    comes from `open_ready`.
    """
    from ...common.rows.short import ShortFindings  # rows are read below

    manifest = bundle.manifest
    paths = paths_of(request, bundle)
    require_bpffs(paths.bpffs, mount=True)
    require_same_bpffs(paths)
    definitions = object_maps(bundle)
    findings = ShortFindings()
    if paths.former:
        validate(paths, request.replace, before, findings)
        stop(findings)
    file = open_host_file(request.host_file)
    validate_host_file(file, manifest, findings)
    tables = [t.name for t in manifest.tables if t.file]
    bundle = replace(bundle, host_rows=file.rows_of(manifest.name, tables))
    here = devices()
    machine = resolve(manifest, given_values(file, request.settings), here, findings)
    stop(findings)
    check_segmentation(manifest, machine, findings)
    wanted = wanted_contents(bundle, machine, findings, file.path)
    attached = attached_path(manifest, machine)
    cgroups = find_cgroups(attached, named_cgroups(manifest, wanted), findings) if attached else None
    if not attached and named_cgroups(manifest, wanted):
        findings.error(
            "B302", "malformed: it names cgroups, and none that they lie below", help="build the bundle again"
        )
    stop(findings)
    routed = decide(manifest, machine, wanted.rows, here, findings)
    seen = look_for_route_device(manifest.name, paths.former, routed)
    if routed is not None and seen.taken:
        words = f"the route device cannot be called {routed.name}: a device of that name is there ({seen.taken})"
        findings.error(
            "H193", words, help="rename or delete it, or take another name in `attach: {route_device: {name}}`"
        )
    stop(findings)
    route = here.get(routed.name) if routed is not None and seen.device(routed.name) is not None else None
    index = route.index if route is not None else 0
    context = Context()
    if cgroups is not None:
        if before.state is not None and before.state.cgroup == attached:
            cgroups = cgroups.remembering(before.state.cgroups, before.state.former)
        wanted = with_cgroups(manifest, wanted, cgroups, definitions)
        levels = sum(1 << n for n in {depth(path) for path in wanted.cgroups})
        context = Context(cgroups.attached.level, levels, attached_indexes(manifest, machine, index))
        check_attached(manifest, context.attached, findings)
    instances = [compose(manifest, machine, d, context) for d in machine.attached]
    if route is not None:  # else apply makes it, and looks again
        instances.append(compose_route_device(manifest, machine, route, context))
    check_stacks(manifest, wanted, instances, findings)
    stop(findings)
    check_sizes(manifest, definitions, wanted)
    if cgroups is not None:
        hooked = [(c, cgroups.numbers[c.path]) for c in manifest.cgroups if c.hooks]
        instances += [compose_cgroup(manifest, machine, c, number, context) for c, number in hooked if number]
    kind = choose(request.attach)
    attached_now = next((r.kind for r in before.running if r.kind in TC), "")
    if attached_now and not request.attach and _automatic():
        kind = KINDS[attached_now]
    return Desired(
        bundle,
        paths,
        machine,
        tuple(instances),
        wanted,
        layout_hashes(manifest, definitions),
        definitions,
        kind,
        file.path,
        dict(s.split("=", 1) for s in request.settings),
        findings,
        cgroups,
        file.limits,
        request.allow_removals,
        routed,
        seen,
        wanted_settings(manifest, machine, findings),
        subnets_but(here.values(), routed.name) if routed is not None else frozenset(),
    )


def named_cgroups(manifest: Manifest, wanted: Wanted) -> list[str]:
    """The paths of all cgroups that the spec or a row names, each once."""
    return list(dict.fromkeys((*(c.path for c in manifest.cgroups), *wanted.cgroups)))


def _automatic() -> bool:
    import os

    from ..kernel.hooks.choose import VARIABLE

    return os.environ.get(VARIABLE, "") in ("", AUTO)


def object_maps(bundle: Bundle) -> dict[str, MapDefinition]:
    """The maps that the object declares. Raises DiagnosedError (K204)."""
    try:
        with BpfObject(bundle.object, bundle.manifest.name) as opened:
            return opened.maps
    except LoadRefusedError as error:
        words = f"libbpf cannot open {bundle.manifest.name}.bpf.o: {error.log.strip() or error}"
        raise DiagnosedError([Diagnostic("K204", words, help="build the bundle again")], Exit.KERNEL) from None


def check_sizes(manifest: Manifest, definitions: Mapping[str, MapDefinition], wanted: Wanted) -> None:
    """Refuse an object whose maps are not what the manifest says. Raises DiagnosedError (B309)."""
    expected = {c.map: (c.key_size, c.value_size) for c in wanted.contents}
    expected[HOST_SECTION] = (4, manifest.host_layout.size)
    if manifest.counters:
        expected[COUNTERS] = (4, manifest.counters_size)
    found = []
    for name, sizes in expected.items():
        d = definitions.get(name)
        if d is None or (d.key_size, d.value_size) != sizes:
            has = f"has key and value of {d.key_size} and {d.value_size} bytes" if d else "is not there"
            found.append(
                Diagnostic("B309", f"the object's map {name} {has}; the manifest says {sizes[0]} and {sizes[1]}")
            )
    counted = definitions.get(COUNTERS)
    entries = max(manifest.counters_entries, 1)
    if manifest.counters and counted is not None and counted.max_entries != entries:
        words = f"the object's map {COUNTERS} has {counted.max_entries} entries; the manifest says {entries}"
        found.append(Diagnostic("B309", words))
    storage = definitions.get(manifest.sockets)
    if manifest.sockets and (storage is None or storage.type != BPF_MAP_TYPE_SK_STORAGE):
        found.append(Diagnostic("B309", f"the object's map {manifest.sockets} is none that is kept with sockets"))
    if found:
        raise DiagnosedError(found, Exit.SPEC)


def stop(findings: Findings) -> None:
    """Raise what was found, if it holds an error: exit 6 if one is about the machine, else 1."""
    about_machine = any(d.code.startswith("H") for d in findings.all if d.severity is Severity.ERROR)
    findings.stop_on_errors(Exit.MACHINE if about_machine else Exit.SPEC)
