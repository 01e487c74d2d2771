"""apply killed at any point while sockets choose: nothing that should be encapsulated leaves in the clear."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.netns.loader_sockets import named, sockets, tenant, write

pytestmark = pytest.mark.kernel
ROUNDS = 20
PEER = "192.0.2.2"


def test_killed_anywhere_while_versions_and_cgroups_change(tmp_path: Path) -> None:
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
            for i in range(ROUNDS):
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
