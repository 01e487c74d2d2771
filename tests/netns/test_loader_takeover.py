"""`--replace`: a renamed bundle takes over in one step, with maps and counters, and nothing of the old one stays."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from encap_compile.run.apply import apply
from encap_compile.run.kernel.system import kernel_version
from encap_compile.run.loader.desired import Request
from tests.netns.loader_bundle import write
from tests.netns.loader_net import ATTACH, HAS_TCX, Wire, patient_backlog, wire
from tests.netns.loader_sockets import named, sockets, tenant
from tests.netns.loader_sockets import write as write_sockets
from tests.netns.test_loader_first_release import applied
from tests.support.sweep import sampled

pytestmark = pytest.mark.kernel
PAIRS = [(a, b) for a in ATTACH for b in ATTACH]
TWO = {"10.1.0.1": "192.0.2.2", "10.1.0.9": "192.0.2.2"}


def counted(net: Wire, bundle: str, counter: str = "web") -> int:
    document = json.loads(net.ctl("stats", bundle, "--format", "json", check=0).stdout)
    return next(int(c["packets"]) for c in document["counters"] if c["name"] == counter)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_a_new_name_under_traffic(tmp_path: Path, old: str, new: str) -> None:
    before = write(tmp_path / "before", name="before")
    after = write(tmp_path / "after", name="after", counters=("extra", "seen", "web"), rows=TWO)
    with wire() as net, patient_backlog(), net.here():
        net.ours.tc("qdisc add dev eth0 clsact")
        apply(Request(before, settings=("uplink=eth0",), attach=old))
        assert net.send(20) == (20, 0)
        arrived = net.arrived()
        names = [(after, "before"), (before, "after")] * 4
        with net.flood(20_000) as flood:
            kinds = (new, old) * 4
            for (bundle, former), kind in zip(names, kinds, strict=True):
                done = apply(Request(bundle, settings=("uplink=eth0",), attach=kind, replace=former))
                assert {h.action for h in done.plan.hooks} == {"replace" if old == new else "switch"}
        found = tuple(now - was for now, was in zip(net.arrived(), arrived, strict=True))
        assert found == (flood["sent"], 0)
        apply(Request(after, settings=("uplink=eth0",), attach=new, replace="before"))
        assert counted(net, "after") == flood["sent"] + 20
        assert net.ctl("status", "before").returncode == 3
        net.ctl("status", after, check=0)
        assert not [left for left in net.left() if "before" in left]
        assert len([left for left in net.left() if "/maps/" in left]) == 4
        net.ctl("remove", "after", check=0)


def test_an_empty_folder_goes_too(tmp_path: Path) -> None:
    """What an apply leaves that is killed after the last file of the bundle that it replaced, and before its folder."""
    former = write(tmp_path / "one", name="one", rows=TWO)
    bundle = write(tmp_path / "two", name="two", rows=TWO)
    with wire() as net:
        net.apply(former)
        net.apply(bundle, "--replace", "one")
        folder = next(Path(left) for left in net.left() if "/state/" in left and left.endswith("/two"))
        (folder.parent / "one").mkdir()
        net.apply(bundle, "--replace", "one")
        assert not [left for left in net.left() if left.endswith("/one")]
        net.ctl("remove", "two", check=0)
        assert net.left() == []


@sampled("rounds", some=6, all=40)
@pytest.mark.parametrize("attach", ATTACH)
def test_killed_anywhere(tmp_path: Path, attach: str, rounds: int) -> None:
    chance = random.Random(8)
    bundles = [
        write(tmp_path / "one", name="one", rows=TWO),
        write(tmp_path / "two", name="two", wide=True, counters=("extra", "seen", "web")),
        write(tmp_path / "three", name="three", capacity=64),
    ]
    with wire() as net:
        net.apply(bundles[0], "--attach", attach)
        begun = time.monotonic()
        net.apply(bundles[1], "--attach", attach, "--replace", "one")
        took = time.monotonic() - begun
        last, sent = 1, 0
        for i in range(rounds):
            new = (last + 1) % 3
            words = ["apply", bundles[new], "--set", "uplink=eth0", "--attach", attach]
            words += ["--replace", bundles[last].name]
            process = net.ours.popen(
                [sys.executable, "-m", "encap_compile.ctl", *map(str, words)], stdout=subprocess.DEVNULL
            )
            time.sleep(chance.uniform(0.3, 1.1) * took)
            process.kill()
            process.wait()
            assert net.send(20) == (20, 0), f"round {i}"
            sent += 20
            if chance.random() < 0.5:  # again with the option, and without: the state says what was begun
                net.apply(bundles[new], "--attach", attach, "--replace", bundles[last].name)
            else:
                net.apply(bundles[new], "--attach", attach, "--debug")
                net.apply(bundles[new], "--attach", attach, "--replace", bundles[last].name)
            assert not [
                left for left in net.left() if f"/{bundles[last].name}/" in left or f":{bundles[last].name}:" in left
            ]
            last = new
        assert counted(net, bundles[last].name) == sent
        assert len([left for left in net.left() if "/maps/" in left]) == 4
        net.ctl("remove", bundles[last].name, check=0)
        assert net.left() == []


@pytest.mark.parametrize("attach", ATTACH)
def test_both_run_already(tmp_path: Path, attach: str) -> None:
    old, new = write(tmp_path / "old", name="old"), write(tmp_path / "new", name="new")
    with wire() as net, patient_backlog():
        net.apply(old, "--attach", attach)
        net.apply(new, "--attach", attach)
        assert net.send(20) == (20, 0)
        arrived = net.arrived()
        with net.flood(20_000) as flood:
            done = net.apply(new, "--attach", attach, "--replace", "old")
        assert "taken over from old" in done.stdout
        found = tuple(now - was for now, was in zip(net.arrived(), arrived, strict=True))
        assert found == (flood["sent"], 0)
        assert counted(net, "new") == 20 + flood["sent"]
        assert not [left for left in net.left() if "/old" in left or ":old:" in left]
        net.ctl("status", "new", check=0)
        net.ctl("remove", "new", check=0)
        assert net.left() == []


def test_another_device(tmp_path: Path) -> None:
    old, new = write(tmp_path / "old", name="old"), write(tmp_path / "new", name="new")
    with wire() as net:
        net.ours.ip(
            "link add eth1 type veth peer name eth2",
            "link set eth1 up",
            "link set eth2 up",
            "addr add 198.51.100.1/24 dev eth1",
        )
        net.ctl("apply", old, "--set", "uplink=eth1", check=0)
        done = net.ctl("plan", new, "--set", "uplink=eth0", "--replace", "old", check=3)
        assert "would be taken over from old" in done.stdout and "- hook eth1" in done.stdout
        assert "--replace old" in done.stdout
        assert net.ctl("status", "old").returncode == 0  # plan changes nothing
        net.ctl("apply", new, "--set", "uplink=eth0", "--replace", "old", check=0)
        assert net.send(5) == (5, 0)
        assert not [left for left in net.left() if "/old" in left]
        net.ctl("remove", "new", check=0)
        assert net.left() == []


def test_nothing_to_replace(tmp_path: Path) -> None:
    new = write(tmp_path / "new", name="new")
    with wire() as net:
        done = net.apply(new, "--replace", "odl", check=6)
        assert "H140" in done.stderr and net.left() == []
        assert "H140" in net.apply(new, "--replace", "new", check=2).stderr
        assert "H140" in net.apply(new, "--replace", "../x", check=2).stderr
        net.apply(new)
        assert "note[H140]" in net.apply(new, "--replace", "old").stderr
        net.ctl("remove", "new", check=0)


@pytest.mark.skipif(not HAS_TCX, reason="there is only clsact before 6.6")
def test_the_old_name_comes_back(tmp_path: Path) -> None:
    """A filter that was taken over keeps its handle; the old name gets another one."""
    old, new = write(tmp_path / "old", name="old"), write(tmp_path / "new", name="new")
    with wire() as net:
        net.apply(old, "--attach", "clsact")
        net.apply(new, "--attach", "clsact", "--replace", "old")
        net.apply(old, "--attach", "clsact")
        assert net.send(5) == (5, 0)
        for name in ("old", "new"):
            net.ctl("status", name, check=0)
            net.ctl("remove", name, check=0)
        assert net.left() == []


def test_sockets_keep_their_choice(tmp_path: Path) -> None:
    with sockets() as on:
        on.tree.make("a.slice")
        old = write_sockets(tmp_path / "old", named("a.slice"), name="old")
        new = write_sockets(tmp_path / "new", named("a.slice"), name="new", version=2)
        on.net.ctl("apply", old, *on.values, check=0)
        with tenant(on.net, on.tree, "a.slice") as inside:
            sock = inside.socket()
            assert inside.choose(sock, "192.0.2.2") == 0
            assert on.arrived(inside, sock) == (5, 0)
            on.net.ctl("apply", new, *on.values, "--replace", "old", check=0)
            assert on.arrived(inside, sock) == (5, 0)
            other = inside.socket()
            assert inside.choose(other, "192.0.2.2") == 0
        assert not [left for left in on.net.left() if "/old" in left]
        on.net.ctl("remove", "new", check=0)
        assert on.net.left() == []


@pytest.mark.skipif(kernel_version() < (5, 14), reason="without cookies, folders are called as they were")
@pytest.mark.parametrize("attach", ATTACH)
def test_what_the_first_release_left(tmp_path: Path, attach: str) -> None:
    old, new = (
        write(tmp_path / "old", name="old"),
        write(tmp_path / "new", name="new", counters=("extra", "seen", "web")),
    )
    with wire() as net, patient_backlog():
        applied(net, old, attach)
        assert net.send(5) == (5, 0)
        before = net.arrived()
        with net.flood(10_000) as flood:
            net.apply(new, "--attach", attach, "--replace", "old")
        assert tuple(a - b for a, b in zip(net.arrived(), before, strict=True)) == (flood["sent"], 0)
        assert counted(net, "new") == 5 + flood["sent"]
        assert [line.split()[0] for line in net.ctl("status", check=0).stdout.splitlines()[1:]] == ["new"]
        assert not [left for left in net.left() if "/old" in left or ":old:" in left]
        net.ctl("remove", "new", check=0)
        assert net.left() == []
