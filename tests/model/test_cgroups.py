"""Packets of sockets in cgroups: the socket that BPF_PROG_TEST_RUN gives to a frame is in the cgroup of this process.

It is no TCP socket, has chosen nothing and has no storage of its own. What sockets choose, what listeners say, and
packets without a socket are left to tests/netns.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from encap_compile.compile import ir
from encap_compile.compile.model import Socket
from encap_compile.run.kernel.maps import Packed
from encap_compile.run.loader.compose import Context

from ..support.cgroups import Tree, mount
from .pair import Pair, load_pair
from .test_differential import PACKETS, SEED, differences

ROOT = Path(__file__).resolve().parents[2]
OF_ROW = 1 << 63  # among the bits of a cgroup: rows are found by it
ATTACHED = 1  # how deep the tree lies in the hierarchy
FRAMES = 100  # with the process in one cgroup
NUMBER = 8  # bytes


def word(number: int) -> bytes:
    return number.to_bytes(NUMBER, sys.byteorder)


class Seats:
    """The cgroups that a spec and its rows name, below a tree, and this process in one of them."""

    def __init__(self, pair: Pair, tree: Tree) -> None:
        self.pair, self.tree = pair, tree
        assert pair.program.attribution is not None
        bits = {c.path: 1 << c.bit for c in pair.program.attribution.cgroups}
        for rows in pair.datapath.rows.values():
            for path in rows.cgroups:
                bits[path] = bits.get(path, 0) | OF_ROW
        self.paths = sorted(bits)
        for path in self.paths:
            (tree.folder / path).mkdir(parents=True, exist_ok=True)
        keys = b"".join(word(tree.number(path)) for path in self.paths)
        pair.datapath.fill("cgroups", Packed(len(bits), keys, b"".join(word(bits[p]) for p in self.paths)))
        for table in pair.datapath.manifest.tables:
            rows = pair.datapath.rows[table.name]
            if rows.cgroups:  # their only key
                numbers = b"".join(word(tree.number(path)) for path in rows.cgroups)
                pair.datapath.fill(table.map, Packed(rows.count, numbers, rows.values))

    def sit(self, path: str) -> None:
        """Be in a cgroup below the attached one, in that itself, or with `..` outside."""
        folder = mount() if path == ".." else self.tree.folder / path
        (folder / "cgroup.procs").write_text(f"{os.getpid()}\n")
        parts = path.split("/") if path not in ("", "..") else []
        inside = ("",) if path != ".." else ()
        self.pair.socket = Socket((*("/".join(parts[: i + 1]) for i in range(len(parts))), *inside))


@contextmanager
def seats(pair: Pair) -> Iterator[Seats]:
    home = mount() / Path("/proc/self/cgroup").read_text().partition("0::/")[2].split("\n")[0]
    with Tree() as tree:
        try:
            yield Seats(pair, tree)
        finally:  # the tree kills what is in it
            (home / "cgroup.procs").write_text(f"{os.getpid()}\n")
            pair.socket = Socket()


@pytest.mark.parametrize("example", ["teams", "tenants-by-cgroup"])
def test_no_difference(tmp_path: Path, example: str) -> None:
    pair = load_pair(ROOT / "examples" / f"{example}.yaml", tmp_path, context=Context(ATTACHED, 0b1110))
    random, counted = Random(SEED), set[str]()
    with pair.datapath, seats(pair) as found:
        for turn in range(max(PACKETS // 10 // FRAMES, 20)):
            found.sit(random.choice(["..", "", *found.paths]))
            different = differences(pair, 1000 * SEED + turn, FRAMES, counted=counted)
            assert not different, f"in {pair.socket.cgroups}: " + "\n".join(different)
    look_ups = [s for rule in pair.program.egress.rules for s in rule.steps if isinstance(s, ir.LookUp)]
    rules = {step.counter for step in look_ups if not isinstance(step.find, ir.ByChoice)}
    assert rules <= counted and "flows_learned" in counted
