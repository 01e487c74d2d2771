"""What instances and maps are given of cgroups, apart from a kernel."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from tests.netns import loader_sockets
from tests.netns.loader_sockets import named

from encap_compile.common.diagnostics import DiagnosedError, Findings
from encap_compile.common.manifest import Manifest
from encap_compile.common.manifest_io import load as load_manifest
from encap_compile.run.apply import _in_order
from encap_compile.run.host_values import Machine, resolve
from encap_compile.run.kernel.cgroups import Cgroup as Found
from encap_compile.run.kernel.cgroups import Hierarchy
from encap_compile.run.kernel.devices import Device
from encap_compile.run.kernel.hooks.base import CGROUP_POINTS, DEVICE_POINTS, Hook, Point
from encap_compile.run.kernel.hooks.choose import KINDS, choose, kind_of
from encap_compile.run.kernel.objects import MapDefinition
from encap_compile.run.loader.bundle import open_bundle
from encap_compile.run.loader.cgroup_contents import OF_ROW, with_cgroups
from encap_compile.run.loader.cgroups import FORMER, Cgroups, attached_path, below, depth, mask
from encap_compile.run.loader.compose import Context, compose, compose_cgroup, decode
from encap_compile.run.loader.contents import wanted_contents
from encap_compile.run.loader.hostfile import read_settings
from encap_compile.run.loader.layout_ids import layout_hashes
from encap_compile.run.loader.state import State, target_name
from encap_compile.run.loader.state_files import load, save
from encap_compile.run.plan import ATTACH, DETACH, KEEP, REPLACE, HookChange

HERE = Hierarchy(Path("/cg"), "")
ATTACHED = Found("/t", 5, 1)
DEVICES = {
    n: Device(n, i, bytes([2, 0, 0, 0, 0, i]), mtu, True, True) for n, i, mtu in (("eth0", 2, 1500), ("eth1", 3, 1400))
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return loader_sockets.write(
        tmp_path_factory.mktemp("bundle"),
        named("a", "a/b", "", "ab"),
        {"a": "192.0.2.1", "c/d": "192.0.2.2", "e": "192.0.2.3"},
        capacity=4,
    )


@pytest.fixture
def manifest(bundle: Path) -> Manifest:
    return load_manifest(bundle / "manifest.json")


def cgroups(**numbers: int) -> Cgroups:
    paths = {"a": 0, "a/b": 0, "": 5, "ab": 0, "c/d": 0, "e": 0}
    return Cgroups(HERE, ATTACHED, paths | {name.replace("_", "/"): number for name, number in numbers.items()})


def machine(manifest: Manifest, *settings: str) -> Machine:
    findings = Findings()
    found = resolve(manifest, read_settings(settings), DEVICES, findings)
    assert findings.all == []
    return found


def test_the_set_of_a_cgroup_is_itself_and_what_it_lies_in() -> None:
    all_of = named("a", "a/b", "", "ab")
    assert [mask(all_of, path) for path in ("a", "a/b", "a/b/c", "ab", "", "x")] == [0b101, 0b111, 0b111, 0b1100, 4, 4]


def test_depth_and_paths() -> None:
    assert [depth(p) for p in ("", "a", "a/b")] == [0, 1, 2]
    assert [below("/", "a"), below("/t", "a/b"), below("/t", ""), below("/", "")] == ["/a", "/t/a/b", "/t", "/"]


def test_where_cgroups_come_and_go() -> None:
    assert set(cgroups().folders()) == {Path("/cg"), Path("/cg/t"), Path("/cg/t/a"), Path("/cg/t/c")}


def test_instances(manifest: Manifest) -> None:
    here = machine(manifest, "uplink=eth0,eth1", "vtep=192.0.2.1", "tenants=/t")
    context = Context(1, 0b10)
    told = decode(manifest.host_members, compose_cgroup(manifest, here, manifest.cgroups[1], 7, context).host)
    assert (told["uplink.mtu"], told["cgroups"], told["cgroup_level"], told["cgroup_levels"]) == ("1400", "7", "1", "2")
    assert told["vtep (ipv4)"] == "192.0.2.1"  # not a device's
    on_device = decode(manifest.host_members, compose(manifest, here, DEVICES["eth0"], context).host)
    assert (on_device["uplink.mtu"], on_device["cgroups"], on_device["cgroup_levels"]) == ("1500", "0", "2")


def test_what_belongs_to_a_device_is_zero(manifest: Manifest) -> None:
    members = tuple(
        replace(m, source="uplink.ifindex") if m.source == "uplink.mtu" else m for m in manifest.host_members
    )
    other = replace(manifest, host_members=members)
    here = machine(other, "uplink=eth0", "vtep=192.0.2.1", "tenants=/t")
    told = decode(members, compose_cgroup(other, here, other.cgroups[0], 7, Context()).host)
    assert told["uplink.ifindex"] == "0"
    assert decode(members, compose(other, here, DEVICES["eth0"]).host)["uplink.ifindex"] == "2"


def test_programs_of_an_instance(manifest: Manifest) -> None:
    here = machine(manifest, "uplink=eth0", "vtep=192.0.2.1", "tenants=/t")
    device = compose(manifest, here, DEVICES["eth0"])
    inside = compose_cgroup(manifest, here, manifest.cgroups[0], 7, Context())
    assert {p.program for p in device.programs(manifest)} == {"encap_egress", "encap_ingress"}
    assert {p.program for p in inside.programs(manifest)} == {"choose", "ask"}


def entries(bundle: Path, found: Cgroups, room: int = 8) -> tuple[dict[int, int], dict[int, str], tuple[str, ...]]:
    opened, findings = open_bundle(bundle), Findings()
    definition = MapDefinition("cgroups", 1, 8, 8, room, 0, False)
    wanted = with_cgroups(
        opened.manifest, wanted_contents(opened, Machine({}, ()), findings), found, {"cgroups": definition}
    )
    assert findings.all == []
    of = {c.map: c for c in wanted.contents}
    sets = {_u64(k): _u64(v) for k, v in of["cgroups"].entries.items(8, 8)}
    rows = {_u64(k): ".".join(map(str, v[:4])) for k, v in of["tenants"].entries.items(8, 8)}
    return sets, rows, of["tenants"].pending


def _u64(data: bytes) -> int:
    return int(struct.unpack("=Q", data)[0])


def test_contents(bundle: Path) -> None:
    sets, rows, pending = entries(bundle, cgroups(a=10, e=30))
    assert sets == {10: 1 | OF_ROW, 5: 4, 30: OF_ROW}
    assert rows == {10: "192.0.2.1", 30: "192.0.2.3"}
    assert pending == ("cgroup=c/d",)


def test_contents_know_former_cgroups_as_far_as_there_is_room(bundle: Path) -> None:
    found = cgroups(a=10, e=30).remembering({"a": 9, "c/d": 20}, {"a": [8, 7], "e": [30, 29], "gone": [3]})
    assert found.former == {"a": (9, 8, 7), "c/d": (20,), "e": (29,)}
    sets, rows, pending = entries(bundle, found, room=5)
    assert sets == {10: 1 | OF_ROW, 5: 4, 30: OF_ROW, 9: 1 | OF_ROW, 20: OF_ROW}
    assert rows == {10: "192.0.2.1", 30: "192.0.2.3", 9: "192.0.2.1", 20: "192.0.2.2"}  # four are its capacity
    assert pending == ("cgroup=c/d",)
    assert entries(bundle, found, room=3)[0] == {10: 1 | OF_ROW, 5: 4, 30: OF_ROW}


def test_few_former_cgroups_are_remembered() -> None:
    found = cgroups(a=10).remembering({"a": 10}, {"a": [9, 8, 7, 6, 5, 4]})
    assert found.former == {"a": (9, 8, 7, 6)} and FORMER == 4
    assert cgroups(a=10).remembering({"a": 0}, {}).former == {}


def test_layouts(manifest: Manifest) -> None:
    definitions = {n: MapDefinition(n, 1, 8, 8, 8, 0, False) for n in ("cgroups", "choices", "tenants", "counters")}
    before = layout_hashes(manifest, definitions)
    other = replace(manifest, cgroups=named("x"), counters=(), tables=())
    after = layout_hashes(other, definitions)
    assert {name for name in before if before[name] == after[name]} == {"choices"}
    places = replace(manifest, cgroups=tuple(replace(c, place="spec.yaml:99") for c in manifest.cgroups))
    assert layout_hashes(places, definitions) == before


def test_an_attach_kind_for_every_point() -> None:
    for tc in ("tcx", "clsact"):
        assert {kind_of(p, KINDS[tc]).name for p in DEVICE_POINTS} == {tc}
        assert {kind_of(p, KINDS[tc]).name for p in CGROUP_POINTS} == {"cgroup"}
    assert set(Point) == DEVICE_POINTS | CGROUP_POINTS
    with pytest.raises(DiagnosedError, match="cgroup: not an attach kind"):
        choose("cgroup")


def test_the_order_of_hooks() -> None:
    def change(target: int, point: Point, action: str) -> HookChange:
        return HookChange("", Hook(target, point), action, "", "", "", ())

    planned = [
        change(2, Point.INGRESS, REPLACE),
        change(2, Point.EGRESS, REPLACE),
        change(4, Point.INGRESS, ATTACH),
        change(4, Point.EGRESS, ATTACH),
        change(7, Point.GETSOCKOPT, KEEP),
        change(7, Point.SETSOCKOPT, ATTACH),
        change(7, Point.LISTEN, ATTACH),
        change(3, Point.INGRESS, DETACH),
        change(3, Point.EGRESS, DETACH),
        change(8, Point.GETSOCKOPT, DETACH),
        change(8, Point.SETSOCKOPT, DETACH),
        change(8, Point.LISTEN, DETACH),
    ]
    assert [(c.hook.target, c.hook.point.word) for part in _in_order(planned) for c in part] == [
        (8, "setsockopt"),
        (8, "getsockopt"),
        (2, "ingress"),
        (4, "ingress"),
        (7, "listen"),  # listeners are known before they answer
        (2, "egress"),
        (4, "egress"),
        (7, "setsockopt"),
        (3, "egress"),
        (8, "listen"),
        (3, "ingress"),
    ]


def test_names_of_hooks() -> None:
    state = State(devices={"eth0": 7}, cgroups={"a": 7, "": 8}, former={"a": [6]})
    assert target_name(state, Hook(7, Point.EGRESS), "?") == "eth0"
    assert target_name(state, Hook(7, Point.SETSOCKOPT), "?") == "a"
    assert target_name(state, Hook(6, Point.SETSOCKOPT), "?") == "a"
    assert target_name(state, Hook(8, Point.SETSOCKOPT), "?") == "the attached cgroup"
    assert target_name(state, Hook(6, Point.EGRESS), "?") == target_name(None, Hook(7, Point.EGRESS), "?") == "?"


def test_state_keeps_them(tmp_path: Path) -> None:
    state = State(cgroup="/t", cgroups={"a": 7, "b": 0}, former={"a": [6, 5]})
    save(tmp_path, state)
    assert load(tmp_path) == state


def test_the_default_of_a_cgroup_is_a_path(manifest: Manifest) -> None:
    hosts = tuple(replace(h, default="/x.slice") if h.type == "cgroup" else h for h in manifest.host)
    defaults = replace(manifest, host=hosts)
    here = machine(defaults, "uplink=eth0", "vtep=192.0.2.1")
    assert attached_path(defaults, here) == "/x.slice"
    assert here.values["tenants"].origin == "the spec's default"
    assert attached_path(defaults, machine(defaults, "uplink=eth0", "vtep=192.0.2.1", "tenants=/y")) == "/y"
    assert attached_path(replace(manifest, cgroup="/z"), here) == "/z"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("/", True),
        ("/a.slice/b", True),
        ("a", False),
        ("/a/", False),
        ("/a/../b", False),
        ("//", False),
        ("/a,/b", False),
    ],
)
def test_a_host_value_that_is_a_cgroup(manifest: Manifest, text: str, good: bool) -> None:
    findings = Findings()
    found = resolve(manifest, read_settings(("uplink=eth0", "vtep=192.0.2.1", f"tenants={text}")), DEVICES, findings)
    assert [d.code for d in findings.all] == ([] if good else ["H103"])
    assert not good or found.values["tenants"].text() == text
