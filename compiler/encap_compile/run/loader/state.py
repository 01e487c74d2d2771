"""What was applied, for people and for the next run. The truth is in the kernel; this says what it means.

`state_files` keeps it.
"""

# Annotations are not postponed here: `structured` reads the document by them.

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Self

from ...common.manifest import Counter, Manifest
from ...common.record import Record
from ..kernel.hooks.base import CGROUP_POINTS, DEVICE_POINTS, Hook
from ..kernel.netns import never_reused
from ..kernel.system import boot_id

Totals = dict[str, tuple[int, int]]  # counter -> packets, bytes


class Filled(Record):
    """What a map was filled with: `count` entries read from `file`, whose SHA-256 was `sha256`.

    `rows` is how many rows the file had: where cgroups come and go, a map holds more or fewer entries. `origin` says
    who named the file: empty for the bundle's own, `--rows`, or the path of a host file. `digest` is that
    of the entries, see `run.loader.digests`.
    """

    kind: str
    table: str
    count: int
    digest: str
    file: str = ""
    sha256: str = ""
    origin: str = ""
    rows: int = 0


class RouteDevice(Record):
    """The route device: its number, its MTU, and the prefixes that are routed to it and those that are not."""

    name: str
    index: int
    mtu: int
    routed: list[str]
    thrown: list[str]


class State(Record):
    """`manifest` is None as long as the first apply is not complete.

    `counter_layouts`: for each layout hash of a pinned counters map, each counter's offset in bytes, over all entries.
    `carried`: totals of counters maps that are no more, by the map's id.
    `cgroups`: each cgroup that the spec or a row names, by its path below `cgroup`, the attached one; 0 if it was
    pending. `former`: numbers that cgroups of a path had before, the last one first.
    `replaces`: the bundle that is being replaced, as long as that is not complete.
    `filled` and `pins`: by the map's name, what it was filled with, and the name of its pin.
    """

    manifest: Manifest | None = None
    object_sha256: str = ""
    applied_at: float = 0.0  # seconds since the epoch
    attach: str = ""
    host: dict[str, str] = field(default_factory=dict)  # value -> text with its origin
    host_file: str = ""
    settings: dict[str, str] = field(default_factory=dict)  # --set
    devices: dict[str, int] = field(default_factory=dict)  # attached device -> ifindex
    counter_layouts: dict[str, dict[str, int]] = field(default_factory=dict)
    carried: dict[str, Totals] = field(default_factory=dict)
    namespace_cookie: int = 0  # as `never_reused` tells it; 0 if nothing did
    boot_id: str = ""
    bpffs: str = ""  # where pins lie
    bpffs_instance: str = ""  # and in which filesystem, as MAJOR:MINOR
    cgroup: str = ""
    cgroups: dict[str, int] = field(default_factory=dict)
    former: dict[str, list[int]] = field(default_factory=dict)
    replaces: str = ""
    filled: dict[str, Filled] = field(default_factory=dict)
    pins: dict[str, str] = field(default_factory=dict)
    gro_unmade: dict[str, str] = field(default_factory=dict)  # devices that the machine refused to make, and why
    route_device: RouteDevice | None = None

    def with_counters(self, layout: str, counters: tuple[Counter, ...]) -> Self:
        """The same, knowing one more layout of the counters."""
        known = {**self.counter_layouts, layout: {c.name: c.offset for c in counters}}
        return replace(self, counter_layouts=known)


def target_name(state: State | None, hook: Hook, unknown: str) -> str:
    """The device or cgroup of a hook, as it was called when it was applied; `unknown` if nothing tells."""
    known: Mapping[str, int] = {}
    if state is not None:
        known = state.devices if hook.point in DEVICE_POINTS else state.cgroups
        if hook.point in DEVICE_POINTS and state.route_device is not None:
            known = {**known, state.route_device.name: state.route_device.index}
    found = next((name for name, number in known.items() if number == hook.target), None)
    if found is None and state is not None and hook.point in CGROUP_POINTS:
        found = next((path for path, numbers in state.former.items() if hook.target in numbers), None)
    return unknown if found is None else cgroup_name(found) if hook.point in CGROUP_POINTS else found


def cgroup_name(path: str) -> str:
    """What a person reads for a path below the attached cgroup, which itself has none."""
    return path or "the attached cgroup"


def cgroup_words(path: str) -> str:
    """The same within a sentence: `cgroup a.slice`."""
    return f"cgroup {path}" if path else cgroup_name(path)


def new_state() -> State:
    """The state of a bundle that nothing is known of yet, in this namespace."""
    return State(namespace_cookie=never_reused(), boot_id=boot_id())


def from_another_namespace(state: State | None) -> bool:
    """Whether a state was left by a namespace that is gone and whose number this one was given, or before a reboot."""
    if state is None:
        return False
    here = never_reused()
    reused = bool(here and state.namespace_cookie and here != state.namespace_cookie)
    return reused or state.boot_id not in ("", boot_id())
