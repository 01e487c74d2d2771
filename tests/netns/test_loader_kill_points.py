"""remove, apply and the move of what the first release left, killed before every call that changes something."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from encap_compile.run.kernel.netns import this_namespace
from encap_compile.run.kernel.system import kernel_version
from tests.netns.killing import MOST, runs
from tests.netns.loader_bundle import write
from tests.netns.loader_net import ATTACH, Wire, wire
from tests.support.netns import STATE
from tests.support.sweep import sampled

pytestmark = pytest.mark.kernel


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


@sampled("step", some=4, all=1)
@pytest.mark.parametrize("attach", ATTACH)
def test_remove(net: Wire, tmp_path: Path, attach: str, step: int) -> None:
    """The next remove takes away what is left, be it nothing but a folder, and leaves nothing."""
    bundle = write(tmp_path / "one")
    with runs(net.ours, tmp_path) as run:
        for point in range(1, MOST, step):
            run.apply(bundle, "--attach", attach)
            if not run.killed_at(point, "remove", "hand"):
                break
            assert run.run(0, "remove", "hand") == 0 or "H110" in run.said(), (point, run.said())
            assert net.left() == [], point
        else:
            pytest.fail("it never came to its end")
    assert point > 15
    assert net.left() == []


@sampled("step", some=12, all=1)
@pytest.mark.parametrize("attach", ATTACH)
def test_apply_after_a_killed_remove(net: Wire, tmp_path: Path, attach: str, step: int) -> None:
    bundle = write(tmp_path / "one")
    with runs(net.ours, tmp_path) as run:
        for point in range(1, MOST, step):
            run.apply(bundle, "--attach", attach)
            if not run.killed_at(point, "remove", "hand"):
                break
            assert run.run(0, "status", "hand") in (0, 3), (point, run.said())
            run.apply(bundle, "--attach", attach)
            assert net.send() == (20, 0), point
            assert run.run(0, "status", "hand") == 0, (point, run.said())
    net.ctl("remove", "hand")
    assert net.left() == []


@sampled("step", some=7, all=1)
@pytest.mark.parametrize("attach", ATTACH)
def test_the_first_apply(net: Wire, tmp_path: Path, attach: str, step: int) -> None:
    """Killed anywhere, remove leaves nothing."""
    bundle = write(tmp_path / "one")
    with runs(net.ours, tmp_path) as run:
        for point in range(1, MOST, step):
            killed = run.killed_at(point, "apply", bundle, "--set", "uplink=eth0", "--attach", attach)
            assert run.run(0, "remove", "hand") == 0 or "H110" in run.said(), (point, run.said())
            assert net.left() == [], point
            if not killed:
                break
        else:
            pytest.fail("it never came to its end")


@pytest.mark.skipif(kernel_version() < (5, 14), reason="without cookies, folders are called as they were")
@sampled("step", some=9, all=1)
@pytest.mark.parametrize("attach", ATTACH)
def test_taking_over_what_the_first_release_left(net: Wire, tmp_path: Path, attach: str, step: int) -> None:
    """At every point packets are encapsulated, status finds all of it, and the next apply goes on."""
    bundles = [write(tmp_path / salt, salt=salt) for salt in ("one", "two")]
    with net.here():
        here = this_namespace()
    with runs(net.ours, tmp_path) as run:
        run.apply(bundles[1], "--attach", attach)
        for turn, point in enumerate(range(1, MOST, step)):
            for root in (net.ours.bpffs() / "encap", STATE / net.ours.name / "state"):
                (root / f"{here.cookie}-{here.inode}").rename(root / str(here.inode))
            (state,) = (STATE / net.ours.name / "state").glob("*/hand/state.json")
            document = json.loads(state.read_text())
            state.write_text(json.dumps({k: v for k, v in document.items() if k not in ("boot_id", "bpffs_instance")}))
            killed = run.killed_at(point, "apply", bundles[turn % 2], "--set", "uplink=eth0")
            assert net.send() == (20, 0), point
            assert run.run(0, "status", "hand") in (0, 3), (point, run.said())
            run.apply(bundles[turn % 2])
            assert run.run(0, "status", "hand") == 0, (point, run.said())
            assert len([path for path in net.left() if "/maps/" in path]) == 4, point
            if not killed:
                break
        else:
            pytest.fail("it never came to its end")
    net.ctl("remove", "hand", check=0)
    assert net.left() == []
