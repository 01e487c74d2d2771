"""apply killed at any point while sockets choose: nothing that should be encapsulated leaves unencapsulated."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from encap_compile.run import apply as apply_module
from encap_compile.run.apply import apply
from encap_compile.run.kernel import maps
from encap_compile.run.kernel.hooks.cgroup import Cgroup
from encap_compile.run.kernel.hooks.tcx import Tcx
from tests.netns.loader_sockets import named, sockets, tenant, write
from tests.support.sweep import sampled

pytestmark = pytest.mark.kernel
PEER = "192.0.2.2"


@sampled("rounds", some=6, all=40)
def test_killed_anywhere_while_versions_and_cgroups_change(tmp_path: Path, rounds: int) -> None:
    chance = random.Random(11)
    rows = {"a.slice/by-row": PEER}
    bundles = [
        write(tmp_path / "one", named("a.slice"), rows),
        write(tmp_path / "two", named("b.slice", "a.slice"), rows, version=2),
        write(tmp_path / "three", named("a.slice", "a.slice/by-row", managed=("a.slice",)), rows, capacity=32),
    ]
    with sockets() as on:
        on.tree.make("a.slice/by-row")
        on.tree.make("b.slice")
        on.apply(bundles[0])
        begun = time.monotonic()
        on.apply(bundles[1])
        took = time.monotonic() - begun
        with tenant(on.net, on.tree, "a.slice") as choosing, tenant(on.net, on.tree, "a.slice/by-row") as other:
            chosen, by_row = choosing.socket(), other.socket()
            assert choosing.choose(chosen, PEER) == 0
            for i in range(rounds):
                on.tree.drop("b.slice")
                on.tree.make("b.slice")
                words = ["apply", str(bundles[i % 3]), *on.values]
                process = on.net.ours.popen(
                    [sys.executable, "-m", "encap_compile.ctl", *words], stdout=subprocess.DEVNULL
                )
                end = time.monotonic() + chance.uniform(0.3, 1.1) * took
                while time.monotonic() < end:
                    assert on.arrived(choosing, chosen, 2) == (2, 0), f"round {i}"
                    assert on.arrived(other, by_row, 2) == (2, 0), f"round {i}"
                process.kill()
                process.wait()
                assert on.arrived(choosing, chosen) == (5, 0), f"round {i}"
                assert on.arrived(other, by_row) == (5, 0), f"round {i}"
                assert choosing.ask(chosen)["chosen"] == PEER
                on.net.ctl("status", "hand")
            on.apply(bundles[1])
            assert choosing.choose(choosing.socket(), PEER) == 0
            on.status(check=0)
            assert len([p for p in on.net.left() if "/maps/" in p]) == 4
            assert len([p for p in on.net.left() if "sockopt_" in p]) == 4
            assert on.tree.hooked("a.slice") == on.tree.hooked("b.slice") == ["ask", "choose"]
        on.net.ctl("remove", "hand", check=0)
        assert on.net.left() == []


@sampled("step", some=4, all=1)
def test_stopped_after_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """What follows a step is not done: after each, packets go the right way and the next apply goes on from there."""
    rows = {"a.slice/by-row": PEER}
    bundles = [
        write(tmp_path / "one", named("a.slice"), rows),
        write(tmp_path / "two", named("b.slice", "a.slice"), rows, version=2, capacity=32),
    ]
    with sockets() as on:
        on.tree.make("a.slice/by-row")
        on.tree.make("b.slice")
        on.apply(bundles[0])
        with tenant(on.net, on.tree, "a.slice") as choosing, tenant(on.net, on.tree, "a.slice/by-row") as other:
            chosen, by_row = choosing.socket(), other.socket()
            assert choosing.choose(chosen, PEER) == 0
            seen = set()
            for allowed in range(0, 80, step):
                steps = Steps(monkeypatch, allowed)
                try:
                    with on.net.here():
                        apply(on.request(bundles[1]))
                except StoppedError:
                    pass
                finally:
                    monkeypatch.undo()
                assert on.arrived(choosing, chosen, 3) == (3, 0), steps.done
                assert on.arrived(other, by_row, 3) == (3, 0), steps.done
                assert choosing.choose(chosen, PEER) == 0, steps.done
                assert on.net.ctl("status", "hand").returncode in (0, 3)
                seen |= set(steps.done)
                if not steps.stopped:
                    break
                on.apply(bundles[0])
                on.status(check=0)
            assert not steps.stopped and {"update", "pin", "attach", "save", "unlink"} <= seen
        on.net.ctl("remove", "hand", check=0)
        assert on.net.left() == []


def test_a_cgroup_that_came_and_went_around_a_killed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run that was killed had put its number into the map, and the next one must know that."""

    def stop(*_: object) -> None:
        raise StoppedError

    bundle = write(tmp_path / "one", named("a.slice"))
    with sockets() as on:
        on.tree.make("a.slice")
        on.tree.make("other.slice")
        on.apply(bundle)
        on.tree.drop("a.slice")
        on.tree.make("a.slice")
        monkeypatch.setattr(apply_module, "_carry_counters", stop)
        with on.net.here(), pytest.raises(StoppedError):
            apply(on.request(bundle))
        with tenant(on.net, on.tree, "a.slice") as moved:
            sock = moved.socket()
            assert moved.choose(sock, PEER) == 0
            on.tree.join("other.slice", moved.process.pid)
            on.tree.drop("a.slice")
            on.tree.make("a.slice")
            on.apply(bundle)
            assert on.arrived(moved, sock) == (5, 0)
        on.net.ctl("remove", "hand", check=0)
        assert on.net.left() == []


class StoppedError(BaseException):
    """As a kill would end it; nothing catches it."""


class Steps:
    """Lets so many changes of the machine happen, and stops the process's work before the next one."""

    def __init__(self, patch: pytest.MonkeyPatch, allowed: int) -> None:
        self.allowed, self.done, self.stopped = allowed, [], False  # type: ignore[var-annotated]
        self._count(patch, maps.Map, "update")
        self._count(patch, maps.Map, "delete")
        self._count(patch, apply_module, "pin")
        self._count(patch, apply_module, "save")
        self._count(patch, Path, "unlink")
        for kind in (Tcx, Cgroup):
            self._count(patch, kind, "attach")
            self._count(patch, kind, "detach")

    def _count(self, patch: pytest.MonkeyPatch, where: object, name: str) -> None:
        real = getattr(where, name)

        def step(*arguments: object, **more: object) -> object:
            if len(self.done) >= self.allowed:
                self.stopped = True
                raise StoppedError
            self.done.append(name)
            return real(*arguments, **more)

        patch.setattr(where, name, step)
