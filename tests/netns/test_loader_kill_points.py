"""remove, apply and the move of what the first release left, killed at every call that changes the file system."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from encap_compile.run.kernel.netns import this_namespace
from encap_compile.run.kernel.system import kernel_version
from tests.netns.loader_bundle import write
from tests.netns.loader_net import ATTACH, Wire, wire
from tests.support.netns import STATE

pytestmark = pytest.mark.kernel
# Python's own audit events: a kill right before the call, as SIGKILL would come. (`open` for writing makes files.)
DRIVER = """
import os, sys
from encap_compile.ctl import main
import encap_compile.run.apply, encap_compile.run.remove, encap_compile.run.kernel.netlink, pyroute2
last, seen = int(sys.argv[1]), 0
WATCHED = {"os.remove", "os.rmdir", "os.mkdir", "os.rename", "os.chmod", "shutil.rmtree"}
def watch(event, arguments):
    global seen
    if event in WATCHED or (event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT):
        seen += 1
        if seen == last:
            os.kill(os.getpid(), 9)
sys.argv[1:] = sys.argv[2:]
sys.addaudithook(watch)
main()
"""
KILLED = -9
MOST = 200


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


def killed_at(net: Wire, point: int, *words: str | Path) -> bool:
    """Whether it came so far that it was killed."""
    done = net.ours.run([sys.executable, "-c", DRIVER, str(point), *map(str, words)], check=False)
    assert done.returncode in (0, KILLED), done.stderr
    return done.returncode == KILLED


@pytest.mark.parametrize("attach", ATTACH)
def test_remove(net: Wire, tmp_path: Path, attach: str) -> None:
    """The next remove takes away what is left, be it nothing but a folder, and leaves nothing."""
    bundle = write(tmp_path / "one")
    for point in range(1, MOST):
        net.apply(bundle, "--attach", attach)
        killed = killed_at(net, point, "remove", "hand")
        if not killed:
            break
        done = net.ctl("remove", "hand")
        assert done.returncode == 0 or "H110" in done.stderr, (point, done.stderr)
        assert net.left() == [], point
    else:
        pytest.fail("it never came to its end")
    assert point > 15
    assert net.left() == []


@pytest.mark.parametrize("attach", ATTACH)
def test_apply_after_a_killed_remove(net: Wire, tmp_path: Path, attach: str) -> None:
    bundle = write(tmp_path / "one")
    for point in range(1, MOST, 6):
        net.apply(bundle, "--attach", attach)
        if not killed_at(net, point, "remove", "hand"):
            break
        assert net.ctl("status", "hand").returncode in (0, 3), point
        net.apply(bundle, "--attach", attach)
        assert net.send() == (20, 0), point
        net.ctl("status", "hand", check=0)
    net.ctl("remove", "hand")
    assert net.left() == []


@pytest.mark.parametrize("attach", ATTACH)
def test_the_first_apply(net: Wire, tmp_path: Path, attach: str) -> None:
    """Killed anywhere, remove leaves nothing."""
    bundle = write(tmp_path / "one")
    for point in range(1, MOST, 3):
        killed = killed_at(net, point, "apply", bundle, "--set", "uplink=eth0", "--attach", attach)
        done = net.ctl("remove", "hand")
        assert done.returncode == 0 or "H110" in done.stderr, (point, done.stderr)
        assert net.left() == [], point
        if not killed:
            break
    else:
        pytest.fail("it never came to its end")


@pytest.mark.skipif(kernel_version() < (5, 14), reason="without cookies, folders are called as they were")
@pytest.mark.parametrize("attach", ATTACH)
def test_taking_over_what_the_first_release_left(net: Wire, tmp_path: Path, attach: str) -> None:
    """At every point packets are encapsulated, status finds all of it, and the next apply goes on."""
    bundles = [write(tmp_path / salt, salt=salt) for salt in ("one", "two")]
    with net.here():
        here = this_namespace()
    net.apply(bundles[1], "--attach", attach)
    for point in range(1, MOST, 5):
        for root in (net.ours.bpffs() / "encap", STATE / net.ours.name / "state"):
            (root / f"{here.cookie}-{here.inode}").rename(root / str(here.inode))
        (state,) = (STATE / net.ours.name / "state").glob("*/hand/state.json")
        document = json.loads(state.read_text())
        state.write_text(json.dumps({k: v for k, v in document.items() if k not in ("boot_id", "bpffs_instance")}))
        killed = killed_at(net, point, "apply", bundles[point % 2], "--set", "uplink=eth0")
        assert net.send() == (20, 0), point
        assert net.ctl("status", "hand").returncode in (0, 3), point
        net.apply(bundles[point % 2])
        net.ctl("status", "hand", check=0)
        assert len([path for path in net.left() if "/maps/" in path]) == 4, point
        if not killed:
            break
    else:
        pytest.fail("it never came to its end")
    net.ctl("remove", "hand", check=0)
    assert net.left() == []
