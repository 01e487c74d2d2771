"""What is written down of an apply: by it `status` knows what should be in force, and from what it was made."""

from __future__ import annotations

from dataclasses import replace

from .kernel.mounts import instance_of
from .kernel.netns import never_reused
from .kernel.system import boot_id
from .loader import counters
from .loader.contents import Content
from .loader.digests import entries_digest
from .loader.layout_ids import COUNTERS
from .loader.state import Filled, RouteDevice, State
from .plan import MapChange, Plan


def applied_state(planned: Plan, state: State, pins: dict[str, str]) -> State:
    """The state once the plan is carried out, with the time of the one before, and its totals under present names."""
    desired = planned.desired
    current = desired.layouts.get(COUNTERS, "")
    applied = replace(
        state,
        manifest=desired.manifest,
        object_sha256=desired.bundle.object_sha256,
        attach=desired.attach.name,
        host={name: f"{v.text()} ({v.origin})" for name, v in desired.machine.values.items()},
        host_file=desired.host_file,
        settings=dict(desired.settings),
        devices={d.name: d.index for d in desired.machine.attached},
        route_device=_route_device(planned),
        carried={n: counters.renamed(t, desired.manifest.counters) for n, t in state.carried.items()},
        counter_layouts={k: v for k, v in state.counter_layouts.items() if k == current},
        cgroup="",
        cgroups={},
        former={},
        filled={m.map: _filled(planned, m, m.content, state) for m in planned.maps if m.content is not None},
        pins=pins,
        replaces="",
        namespace_cookie=state.namespace_cookie or never_reused(),
        boot_id=boot_id(),
        bpffs=str(desired.paths.bpffs.absolute()),
        bpffs_instance=instance_of(desired.paths.bpffs),
    )
    if desired.cgroups is None:
        return applied
    return replace(
        applied,
        cgroup=desired.cgroups.attached.path,
        cgroups=dict(desired.cgroups.numbers),
        former={path: list(numbers) for path, numbers in desired.cgroups.former.items()},
    )


def _route_device(planned: Plan) -> RouteDevice | None:
    wanted = planned.desired.route_device
    if wanted is None:
        return None
    index = next((i.target.number for i in planned.desired.instances if i.target.route), 0)
    routing = wanted.routing
    return RouteDevice(
        wanted.name, index, wanted.mtu, [str(n) for n in routing.routed], [str(n) for n in routing.thrown]
    )


def _filled(planned: Plan, change: MapChange, content: Content, state: State) -> Filled:
    """What a map was filled with. The digest of a large table takes a second, so it is kept where nothing changes."""
    known = state.filled.get(change.map)
    digest = known.digest if known is not None and not change.changed else ""
    digest = digest or entries_digest(content.entries, content.key_size, content.value_size)
    read = planned.desired.wanted.rows.get(content.table) if content.kind == "rows" else None
    return Filled(
        content.kind,
        content.table,
        content.entries.count,
        digest,
        content.file,
        content.sha256,
        content.origin,
        read.count if read is not None else 0,
    )
