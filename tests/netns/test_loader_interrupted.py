"""apply killed at any point, and two at once: every intermediate state works, and the next apply finishes."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.netns.loader_bundle import write
from tests.netns.loader_net import ATTACH, wire
from tests.support.sweep import sampled

pytestmark = pytest.mark.kernel


@sampled("rounds", some=8, all=50)
@pytest.mark.parametrize("attach", ATTACH)
def test_killed_anywhere_then_applied_again(tmp_path: Path, attach: str, rounds: int) -> None:
    chance = random.Random(7)
    bundles = [
        write(tmp_path / "one", rows={"10.1.0.1": "192.0.2.2", "10.1.0.9": "192.0.2.2"}),
        write(tmp_path / "two", wide=True, counters=("extra", "seen", "web")),
        write(tmp_path / "three", salt="three", capacity=64),
    ]
    with wire() as net:
        net.apply(bundles[0], "--attach", attach)
        sent = 0
        took = _time_of_one_apply(net, bundles, attach)
        for i in range(rounds):
            words = ["apply", bundles[i % 3], "--set", "uplink=eth0", "--attach", attach]
            process = net.ours.popen(
                [sys.executable, "-m", "encap_compile.ctl", *map(str, words)], stdout=subprocess.DEVNULL
            )
            time.sleep(chance.uniform(0.3, 1.1) * took)
            process.kill()
            process.wait()
            assert net.send(20) == (20, 0), f"round {i}"
            sent += 20
            status = net.ctl("status", "hand")
            assert status.returncode in (0, 3), status.stderr
        net.apply(bundles[1], "--attach", attach)
        net.ctl("status", bundles[1], check=0)
        # Four maps, no matter how many runs made some of their own, and every packet counted once.
        assert len([p for p in net.left() if "/maps/" in p]) == 4
        assert f"web   {sent:>12} packets" in " ".join(net.ctl("stats", "hand").stdout.split()).replace(
            f"web {sent} packets", f"web   {sent:>12} packets"
        )
        net.ctl("remove", "hand", check=0)
        assert net.left() == []


def _time_of_one_apply(net, bundles: list[Path], attach: str) -> float:  # type: ignore[no-untyped-def]
    begun = time.monotonic()
    net.apply(bundles[2], "--attach", attach)
    return time.monotonic() - begun


def test_many_at_once(tmp_path: Path) -> None:
    bundles = [write(tmp_path / "one"), write(tmp_path / "two", wide=True, counters=("extra", "seen", "web"))]
    with wire() as net:
        net.apply(bundles[0])
        running = [
            net.ours.popen(
                [sys.executable, "-m", "encap_compile.ctl", "apply", str(bundles[i % 2]), "--set", "uplink=eth0"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            for i in range(6)
        ]
        while any(p.poll() is None for p in running):
            assert net.send(5) == (5, 0)
            assert net.ctl("status", "hand").returncode in (0, 3)  # looking never waits and never fails
        for process in running:
            error = process.communicate()[1]
            assert process.returncode == 0
            assert not error or "note[H132]: waiting for process" in error  # it waited for more than a second
        net.apply(bundles[0])
        net.ctl("status", bundles[0], check=0)
        assert len([p for p in net.left() if "/maps/" in p]) == 4


def test_apply_and_remove_at_once(tmp_path: Path) -> None:
    bundle = write(tmp_path / "one")
    with wire() as net:
        for _ in range(4):
            words = (["apply", str(bundle), "--set", "uplink=eth0"], ["remove", "hand"])
            running = [
                net.ours.popen(
                    [sys.executable, "-m", "encap_compile.ctl", *w], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
                )
                for w in words
            ]
            for process in running:
                error = process.communicate()[1]
                assert process.returncode == 0 or "H110" in error, error
        net.ctl("remove", "hand")
        assert net.left() == []
