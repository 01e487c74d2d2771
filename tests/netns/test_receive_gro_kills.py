"""apply and remove, killed before and after every message that changes a device, with a device for GRO among them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from encap_compile.run.kernel import tunnel_devices
from encap_compile.run.kernel.guard import is_guarded
from tests.support import cli
from tests.support.netns import Namespace
from tests.support.overlay import Overlay
from tests.support.topology import Topology

from .conftest import Compiled
from .test_receive_gro import GRO, SET, devices

pytestmark = pytest.mark.kernel
# SIGKILL right before, or right after, the given one of all changes by rtnetlink.
DRIVER = """
import os, sys
from encap_compile.run.kernel import guard, rtnetlink
from encap_compile.ctl import main
last, seen, after = int(sys.argv[1]), 0, sys.argv[2] == "after"
def killing(change):
    def wrapped(*words, **more):
        global seen
        seen += 1
        if seen == last and not after:
            os.kill(os.getpid(), 9)
        done = change(*words, **more)
        if seen == last:
            os.kill(os.getpid(), 9)
        return done
    return wrapped
rtnetlink.RouteSocket.change = killing(rtnetlink.RouteSocket.change)
guard.add_clsact, guard.replace_filter = killing(guard.add_clsact), killing(guard.replace_filter)
sys.argv[1:] = sys.argv[3:]
main()
"""
MOST = 30


def killed_at(namespace: Namespace, point: int, when: str, *words: str | Path) -> bool:
    """Whether it came so far that it was killed."""
    command = [sys.executable, "-c", DRIVER, str(point), when, *map(str, words)]
    done: subprocess.CompletedProcess[str] = namespace.run(command, check=False)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == -9


def none_open(network: Topology) -> bool:
    """None that is up without what keeps packets out on every kernel."""
    with network.ours.entered():
        return all(is_guarded(d.index) for d in tunnel_devices.tunnel_devices() if d.up)


@pytest.mark.parametrize("when", ["before", "after"])
def test_apply(compiled: Compiled, when: str) -> None:
    """The next apply makes what is missing, and a remove leaves nothing."""
    bundle = compiled(GRO)
    with Topology() as network:
        Overlay(network, 4)
        ours = network.ours
        for point in range(1, MOST):
            killed = killed_at(ours, point, when, "apply", bundle, *SET)
            assert none_open(network), point
            if not killed:
                break
            if point % 2:
                cli.encapctl(ours, "apply", bundle, *SET)
                (made,) = devices(network)
                assert made.up and made.owner, point
            cli.encapctl(ours, "remove", bundle.name, check=False)
            assert devices(network) == [], point
        else:
            pytest.fail("it never came to its end")
        assert point > 5


@pytest.mark.parametrize("when", ["before", "after"])
def test_remove(compiled: Compiled, when: str) -> None:
    bundle = compiled(GRO)
    with Topology() as network:
        Overlay(network, 4)
        ours = network.ours
        for point in range(1, MOST):
            cli.encapctl(ours, "apply", bundle, *SET)
            killed = killed_at(ours, point, when, "remove", bundle.name)
            if not killed:
                break
            cli.encapctl(ours, "remove", bundle.name, check=False)
            assert devices(network) == [], point
        else:
            pytest.fail("it never came to its end")
        assert point > 1
