"""Programs in cgroups: sockets choose, cgroups come and go under it, and nothing is left behind."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from encap_compile.run.apply import apply
from encap_compile.run.kernel.pins import open_link
from tests.netns.loader_net import ATTACH, HAS_TCX
from tests.netns.loader_sockets import HAS_COOKIE, Sockets, csv, named, sockets, tenant, write
from tests.support.cgroups import mount

pytestmark = pytest.mark.kernel
PEER = "192.0.2.2"
NOT_OURS = errno.ENOPROTOOPT


@pytest.fixture
def on() -> Iterator[Sockets]:
    with sockets() as made:
        yield made
        made.net.ctl("remove", "hand")
        assert made.net.left() == []


@pytest.mark.parametrize("attach", ATTACH)
def test_a_socket_chooses_and_another_cgroups_does_not(on: Sockets, tmp_path: Path, attach: str) -> None:
    on.tree.make("a.slice")
    on.tree.make("other.slice")
    on.apply(write(tmp_path / "one", named("a.slice")), "--attach", attach)
    assert on.tree.hooked("a.slice") == ["ask", "choose"]
    assert on.tree.hooked("other.slice") == []
    with tenant(on.net, on.tree, "a.slice") as inside, tenant(on.net, on.tree, "other.slice") as outside:
        one, other = inside.socket(), outside.socket()
        assert on.arrived(inside, one) == (0, 0)  # named, and nothing chosen: dropped
        assert inside.choose(one, PEER) == 0
        assert on.arrived(inside, one) == (5, 0)
        assert outside.choose(other, PEER) == NOT_OURS
        assert on.arrived(outside, other) == (0, 5)
        on.tree.join("a.slice", outside.process.pid)  # a socket is where it was made
        assert outside.choose(other, PEER) == NOT_OURS
    status = on.status(check=0)
    assert [
        (h.get("device"), h.get("cgroup"), h.get("direction"), h.get("hook"), h["kind"]) for h in status["hooks"]
    ] == [
        ("eth0", None, "egress", None, attach),
        ("eth0", None, "ingress", None, attach),
        (None, "a.slice", None, "getsockopt", "cgroup"),
        (None, "a.slice", None, "setsockopt", "cgroup"),
    ]


def test_a_second_apply_changes_nothing(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice/b")
    bundle = write(tmp_path / "one", named("a.slice", "gone.slice"), {"a.slice/b": PEER, "gone.slice/x": PEER})
    on.apply(bundle)
    before = on.net.left()
    assert "Nothing changed" in on.apply(bundle).stdout
    assert on.net.left() == before
    assert on.plan(bundle, check=0)["changed"] is False
    assert on.status(check=0)["drift"] == []


def test_what_sockets_chose_survives_replacing(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice")
    on.tree.make("b.slice")
    versions = [write(tmp_path / str(v), named("a.slice"), version=v) for v in (1, 2)]
    on.apply(versions[0])
    choices = [p for p in on.net.left() if "/choices-" in p]
    with tenant(on.net, on.tree, "a.slice") as inside:
        sock = inside.socket()
        assert inside.choose(sock, PEER) == 0
        assert inside.ask(sock)["version"] == 1
        on.apply(versions[1])
        assert (inside.ask(sock)["version"], inside.ask(sock)["chosen"]) == (2, PEER)
        assert on.arrived(inside, sock) == (5, 0)
        # Another set of cgroups gives the bits other meanings: that map is made again, and this one is not.
        done = on.apply(write(tmp_path / "more", named("b.slice", "a.slice"), version=3))
        assert "cgroups cgroups +2 -0 ~0 of 2   in a new map" in done.stdout
        assert (inside.ask(sock)["version"], inside.ask(sock)["cgroups"], inside.ask(sock)["chosen"]) == (3, 2, PEER)
        assert on.arrived(inside, sock) == (5, 0)
    assert [p for p in on.net.left() if "/choices-" in p] == choices
    on.status(check=0)


def test_replacing_is_one_step_for_sockets_that_choose(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice")
    versions = [write(tmp_path / str(v), named("a.slice"), version=v) for v in (1, 2)]
    on.apply(versions[0])
    with tenant(on.net, on.tree, "a.slice") as inside:
        sock, stop, refused, tries = inside.socket(), threading.Event(), [], [0]
        inside.choose(sock, PEER)

        def use() -> None:
            while not stop.is_set():
                answers = inside.choose(sock, PEER), inside.ask(sock).get("chosen")
                tries[0] += 1
                if answers != (0, PEER):
                    refused.append(answers)

        user = threading.Thread(target=use)
        user.start()
        try:
            with on.net.here():
                for i in range(20):
                    applied = apply(on.request(versions[(i + 1) % 2]))
                    assert {h.action for h in applied.plan.hooks} == {"replace"}
        finally:
            stop.set()
            user.join()
    assert tries[0] > 20 and refused == []


def test_a_pending_cgroup_is_shown_and_taken_in_when_it_is_there(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice")
    bundle = write(tmp_path / "one", named("a.slice", "b.slice"), {"a.slice": PEER, "b.slice/x": PEER, "c.slice": PEER})
    done = on.net.ctl("plan", bundle, *on.values, check=3).stdout
    assert "pending  cgroup b.slice: not there yet   spec.yaml:2" in done
    assert "pending  2 rows of tenants, whose cgroup is not there yet: cgroup=b.slice/x, cgroup=c.slice" in done
    assert "pending  cgroup b.slice: not there yet" in on.apply(bundle).stdout
    text = on.net.ctl("status", "hand", check=0).stdout
    assert "pending  cgroup b.slice: not there   spec.yaml:2" in text
    assert "pending  cgroup b.slice/x: not there   a row names it" in text
    assert on.status(check=0)["pending"] == ["b.slice", "b.slice/x", "c.slice"]
    running = {h["program_id"] for h in on.status()["hooks"]}

    number = on.tree.make("b.slice/x")
    assert on.status(check=3)["drift"] == [
        "cgroup b.slice: has come, and is not known to the programs yet",
        "cgroup b.slice/x: has come, and is not known to the programs yet",
    ]
    plan = on.plan(bundle, check=3)
    assert [(h["cgroup"], h["hook"]) for h in plan["hooks"] if h["action"] != "keep"] == [
        ("b.slice", "getsockopt"),
        ("b.slice", "setsockopt"),
    ]
    assert next(c for c in plan["cgroups"] if c["path"] == "b.slice/x") == {
        "path": "b.slice/x",
        "number": number,
        "before": None,
        "hooks": [],
        "pending": False,
    }
    assert next(m for m in plan["maps"] if m["table"])["pending"] == ["cgroup=c.slice"]
    assert f"+ cgroup b.slice/x: number {number}" in on.apply(bundle).stdout
    assert running < {h["program_id"] for h in on.status(check=0)["hooks"]}  # what ran was not touched
    with tenant(on.net, on.tree, "b.slice/x") as inside:
        assert on.arrived(inside, inside.socket()) == (5, 0)


def test_a_cgroup_that_is_made_anew(on: Sockets, tmp_path: Path) -> None:
    """As when a unit is started again: the same path, another number, another hook."""
    before = on.tree.make("a.slice")
    bundle = write(tmp_path / "one", named("a.slice"))
    on.apply(bundle)
    on.tree.drop("a.slice")
    now = on.tree.make("a.slice")
    assert now != before
    words = f"cgroup a.slice: is another one now, not the one that the programs know ({before} -> {now})"
    assert on.status(check=3)["drift"] == [words]
    with tenant(on.net, on.tree, "a.slice") as inside:
        sock = inside.socket()
        assert inside.choose(sock, PEER) == NOT_OURS
        done = on.apply(bundle).stdout
        assert f"~ cgroup a.slice: another one now, number {before} -> {now}" in done
        assert "- hook a.slice setsockopt: left over, what it was on is gone" in done
        assert inside.choose(sock, PEER) == 0
        assert on.arrived(inside, sock) == (5, 0)
    assert sorted(Path(p).name for p in on.net.left() if "sockopt_" in p) == [f"getsockopt_{now}", f"setsockopt_{now}"]
    assert on.status(check=0)["drift"] == []
    assert on.plan(bundle, check=0)["changed"] is False


@pytest.mark.parametrize(("room", "arrived"), [(8, (5, 0)), (1, (0, 5))])
def test_packets_of_a_cgroup_that_is_gone(on: Sockets, tmp_path: Path, room: int, arrived: tuple[int, int]) -> None:
    """A connection outlives its cgroup. Its packets stay encapsulated if the map has room for the old number too."""
    on.tree.make("a.slice")
    on.tree.make("other.slice")
    bundle = write(tmp_path / "one", named("a.slice"), room=room)
    on.apply(bundle)
    with tenant(on.net, on.tree, "a.slice") as moved:
        sock = moved.socket()
        moved.choose(sock, PEER)
        on.tree.join("other.slice", moved.process.pid)
        on.tree.drop("a.slice")
        on.tree.make("a.slice")
        assert on.arrived(moved, sock) == (5, 0)
        on.apply(bundle)
        assert on.arrived(moved, sock) == arrived
        assert moved.choose(sock, PEER) == NOT_OURS  # its cgroup is nobody's any more
        on.status(check=0)


def test_a_row_of_a_cgroup_that_is_gone(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice/x")
    on.tree.make("other.slice")
    bundle = write(tmp_path / "one", named("a.slice", managed=()), {"a.slice/x": PEER})
    on.apply(bundle)
    with tenant(on.net, on.tree, "a.slice/x") as moved:
        sock = moved.socket()
        on.tree.join("other.slice", moved.process.pid)
        on.tree.drop("a.slice/x")
        on.apply(bundle)
        assert on.status(check=0)["pending"] == ["a.slice/x"]
        assert on.arrived(moved, sock) == (5, 0)
        on.apply(write(tmp_path / "none", named("a.slice", managed=())), "--allow-removals", "all")
        assert on.arrived(moved, sock) == (0, 0)  # the row is gone, the named cgroup around it is there


def test_a_cgroup_that_is_gone_is_drift_and_then_pending(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice")
    bundle = write(tmp_path / "one", named("a.slice"), {"a.slice": PEER})
    on.apply(bundle)
    on.tree.drop("a.slice")
    assert on.status(check=3)["drift"] == ["cgroup a.slice: is gone"]
    assert "- cgroup a.slice: is gone" in on.net.ctl("plan", bundle, *on.values, check=3).stdout
    on.apply(bundle)
    status = on.status(check=0)
    assert (status["drift"], status["pending"]) == ([], ["a.slice"])
    assert [p for p in on.net.left() if "sockopt_" in p] == []
    assert on.plan(bundle, check=0)["changed"] is False


def test_remove_takes_sockets_their_choice_first(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice")
    on.apply(write(tmp_path / "one", named("a.slice")))
    with tenant(on.net, on.tree, "a.slice") as inside:
        sock = inside.socket()
        assert inside.choose(sock, PEER) == 0
        document = json.loads(on.net.ctl("remove", "hand", "--format", "json", check=0).stdout)
        assert [h.get("hook") or h["direction"] for h in document["hooks"]] == [
            "setsockopt",
            "getsockopt",
            "egress",
            "ingress",
        ]
        assert on.net.left() == []
        assert on.tree.hooked("a.slice") == []
        assert inside.choose(sock, PEER) == NOT_OURS
        assert on.arrived(inside, sock) == (0, 5)


def test_remove_after_the_cgroup_is_gone(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice")
    on.apply(write(tmp_path / "one", named("a.slice")))
    on.tree.drop("a.slice")
    on.net.ctl("remove", "hand", check=0)
    assert on.net.left() == []


def test_a_version_without_sockets_takes_the_programs_off(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice")
    on.apply(write(tmp_path / "one", named("a.slice")))
    with tenant(on.net, on.tree, "a.slice") as inside:
        sock = inside.socket()
        assert inside.choose(sock, PEER) == 0
        done = on.apply(write(tmp_path / "two", named("a.slice", managed=()), sockets=False))
        assert "- hook a.slice setsockopt: [choose] (detached" in done.stdout
        assert inside.choose(sock, PEER) == NOT_OURS
        assert on.tree.hooked("a.slice") == []
        on.status(check=0)


def test_managed_cgroups_within_managed_ones(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice/b/c")
    on.tree.make("a.slice/other")
    on.apply(write(tmp_path / "one", named("a.slice", "a.slice/b", "", "z.slice")))
    with tenant(on.net, on.tree, "a.slice/b/c") as inner, tenant(on.net, on.tree, "a.slice/other") as outer:
        one, other = inner.socket(), outer.socket()
        assert inner.ask(one)["cgroups"] == 0b111  # the innermost program answers, and knows those around it
        assert outer.ask(other)["cgroups"] == 0b101
        assert inner.choose(one, PEER) == outer.choose(other, PEER) == 0
        assert on.arrived(inner, one) == on.arrived(outer, other) == (5, 0)
        on.tree.drop("a.slice/b")
        on.apply(tmp_path / "one")
        assert outer.ask(other)["cgroups"] == 0b101


def test_what_the_programs_are_told(on: Sockets, tmp_path: Path) -> None:
    on.net.ours.ip("link add eth1 type veth peer name eth9", "link set eth1 mtu 1400", "link set eth1 up")
    on.tree.make("a.slice")
    bundle = write(tmp_path / "one", named("a.slice"), {"a.slice": PEER, "x/y/z": PEER})
    on.values = (*on.values[:1], "uplink=eth0,eth1", *on.values[2:])
    on.apply(bundle)
    with tenant(on.net, on.tree, "a.slice") as inside:
        told = inside.ask(inside.socket())
        assert (told["mtu"], told["level"], told["levels"]) == (1400, 1, 0b1010)
        with on.net.here():
            from encap_compile.run.kernel.netns import namespace_cookie

            assert told["cookie"] == (namespace_cookie() if HAS_COOKIE else 0)
            assert told["cookie"] or not HAS_COOKIE
        on.net.ours.ip("link set eth1 mtu 1300")
        assert "uplink.mtu: 1400 in force, 1300 on the machine (a.slice)" in on.status(check=3)["drift"]
        on.apply(bundle)
        assert inside.ask(inside.socket())["mtu"] == 1300
    on.status(check=0)


@pytest.mark.skipif(not HAS_COOKIE, reason="programs are not told the namespace before 5.15")
def test_another_namespaces_socket_in_the_same_cgroup(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice")
    on.apply(write(tmp_path / "one", named("a.slice")))
    on.net.ours, ours = on.net.peer, on.net.ours
    try:
        with tenant(on.net, on.tree, "a.slice") as foreign:
            assert foreign.choose(foreign.socket(), PEER) == NOT_OURS
    finally:
        on.net.ours = ours


def test_rows_on_several_levels(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a/b/c")
    on.tree.make("d")
    bundle = write(tmp_path / "one", named("a", "d", managed=()), {"a": PEER, "a/b/c": PEER})
    on.apply(bundle)
    with tenant(on.net, on.tree, "a/b/c") as deep, tenant(on.net, on.tree, "d") as bare:
        assert on.arrived(deep, deep.socket()) == (5, 0)
        assert on.arrived(bare, bare.socket()) == (0, 0)  # named, without a row
        rows = tmp_path / "rows.csv"
        rows.write_bytes(csv({"a": PEER, "d": PEER}))
        assert "rows tenants +1 -1 ~0 of 2" in on.apply(bundle, "--rows", f"tenants={rows}").stdout
        assert on.arrived(bare, bare.socket()) == (5, 0)


def test_rows_that_name_no_cgroup(on: Sockets, tmp_path: Path) -> None:
    for path in ("/a", "a//b", "a/../b", "a/"):
        error = on.apply(write(tmp_path / "one", named("a"), {path: PEER}), check=1).stderr
        assert "E630" in error and "tenants.csv:2:1" in error
    assert on.net.left() == []


def test_the_attached_cgroup_is_missing(on: Sockets, tmp_path: Path) -> None:
    bundle = write(tmp_path / "one", named("a.slice"))
    values = (*on.values[:-1], f"tenants={on.tree.path}/none")
    for verb in ("plan", "apply"):
        error = on.net.ctl(verb, bundle, *values, check=6).stderr
        assert "H117" in error and f"{on.tree.path}/none" in error
    assert "H103" in on.net.ctl("plan", bundle, *on.values[:-1], "tenants=no/slash", check=6).stderr
    assert on.net.left() == []
    on.tree.make("none")
    on.net.ctl("apply", bundle, *values, check=0)


def test_the_spec_may_say_the_cgroup_itself(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice")
    on.values = on.values[:-2]
    on.apply(write(tmp_path / "one", named("a.slice"), cgroup=on.tree.path))
    with tenant(on.net, on.tree, "a.slice") as inside:
        assert inside.ask(inside.socket())["level"] == 1
    on.apply(write(tmp_path / "two", named(f"{on.tree.path[1:]}/a.slice"), cgroup="/"))
    with tenant(on.net, on.tree, "a.slice") as inside:
        assert inside.ask(inside.socket())["level"] == 0
    on.status(check=0)


def test_two_bundles_in_one_cgroup(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice")
    on.apply(write(tmp_path / "one", named("a.slice")))
    on.apply(write(tmp_path / "two", named("a.slice"), name="other"))
    assert on.tree.hooked("a.slice") == ["ask", "ask", "choose", "choose"]
    programs = next(h for h in on.status(check=0)["hooks"] if h.get("hook") == "setsockopt")["programs"]
    assert sorted(p["ours"] for p in programs) == [False, True]
    on.net.ctl("remove", "other", check=0)
    assert on.tree.hooked("a.slice") == ["ask", "choose"]
    on.status(check=0)


def test_a_program_that_somebody_took_off(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice")
    bundle = write(tmp_path / "one", named("a.slice"))
    on.apply(bundle)
    (pin,) = [Path(p) for p in on.net.left() if "/setsockopt_" in p]
    pin.unlink()
    assert on.status(check=3)["drift"] == ["a.slice setsockopt: our program is not there any more"]
    on.apply(bundle)
    on.status(check=0)


def test_a_program_is_loaded_where_it_goes_and_nowhere_else(on: Sockets, tmp_path: Path) -> None:
    bundle = write(tmp_path / "one", named("a.slice"), refused=True)
    on.apply(bundle)  # no cgroup is there that it would go to
    on.tree.make("a.slice")
    before = on.net.left()
    error = on.apply(bundle, check=5).stderr
    assert "K205" in error and "the kernel refuses choose" in error
    assert on.net.left() == before
    assert on.tree.hooked("a.slice") == []


def test_without_the_capability_to_open_by_number(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice/b")
    without = ("setpriv", "--bounding-set=-dac_read_search", "--inh-caps=-dac_read_search")
    bundle = write(tmp_path / "one", named("a.slice/b"))
    on.net.ctl("apply", bundle, *on.values, prefix=without, check=0)
    assert on.tree.hooked("a.slice/b") == ["ask", "choose"]
    on.net.ctl("status", "hand", prefix=without, check=0)
    on.net.ctl("remove", "hand", prefix=without, check=0)
    assert on.tree.hooked("a.slice/b") == []


@pytest.mark.parametrize(
    ("mounts", "words"),
    [
        ("umount -a -t cgroup2", "H116"),
        (f"mkdir -p {{tmp}}/part; mount --bind {{folder}} {{tmp}}/part; umount -l {mount()}", ""),
        (f"mkdir -p {{tmp}}/other; mount --bind {{folder}}/other {{tmp}}/other; umount -l {mount()}", "H117"),
    ],
)
def test_what_the_mount_shows(on: Sockets, tmp_path: Path, mounts: str, words: str) -> None:
    on.tree.make("a.slice")
    on.tree.make("other")
    bundle = write(tmp_path / "one", named("a.slice"))
    script = f'mount --make-rprivate / && {mounts.format(tmp=tmp_path, folder=on.tree.folder)} && exec "$@"'
    done = on.net.ctl("apply", bundle, *on.values, prefix=("unshare", "-m", "sh", "-c", script, "sh"))
    assert done.returncode == (6 if words else 0), done.stderr
    assert words in done.stderr
    assert on.tree.hooked("a.slice") == ([] if words else ["ask", "choose"])
    if not words:
        with tenant(on.net, on.tree, "a.slice") as inside:
            assert inside.ask(inside.socket())["level"] == 1


def test_a_cgroup_namespace_hides_levels(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("inner/a.slice")
    bundle = write(tmp_path / "one", named("a.slice"), cgroup="/")
    join = f"echo $$ > {on.tree.folder}/inner/cgroup.procs"
    inside = f"umount -a -t cgroup2; mkdir -p {tmp_path}/cg; mount -t cgroup2 none {tmp_path}/cg"
    script = f'{join} && exec unshare -Cm sh -c \'mount --make-rprivate / && {inside} && exec "$@"\' sh "$@"'
    values = on.values[:-2]
    done = on.net.ctl("apply", bundle, *values, prefix=("sh", "-c", script, "sh"))
    assert (done.returncode, "H116" in done.stderr) == (6, True), done.stderr


def test_a_link_that_somebody_detached(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice")
    bundle = write(tmp_path / "one", named("a.slice"))
    on.apply(bundle, "--attach", ATTACH[0])
    for word in ("setsockopt", *(("egress",) if HAS_TCX else ())):
        (pin,) = [Path(p) for p in on.net.left() if f"/{word}_" in p]
        link = open_link(pin)
        assert link is not None
        with link:
            link.detach()
        (drift,) = on.status(check=3)["drift"]
        assert drift.endswith(f"{word}: our program is not there any more")
        on.apply(bundle)
        assert on.status(check=0)["drift"] == []
    with tenant(on.net, on.tree, "a.slice") as inside:
        sock = inside.socket()
        assert inside.choose(sock, PEER) == 0
        assert on.arrived(inside, sock) == (5, 0)
