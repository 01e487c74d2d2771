"""More counters than one value of a per-CPU map holds."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from encap_compile.common import manifest_io
from encap_compile.run.apply import apply
from encap_compile.run.loader.desired import Request
from tests.netns.loader_net import Wire, wire
from tests.support.many_counters import RULES

from .bundles import many_bundle

pytestmark = pytest.mark.kernel
NAME = "many"
FIRST, LAST = 250, RULES - 1  # the rule of 10.1.0.0/24, and the last


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made
        made.ctl("remove", NAME)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many_bundle(tmp_path_factory.mktemp("build"))


def send(net: Wire, rule: int, count: int) -> None:
    with net.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(b"x" * 22, (f"10.1.{rule - 250}.1", 7))


def test_counted_in_every_entry(net: Wire, many: Path) -> None:
    """A program of 500 rules each way with 2000 counters loads, and each rule counts in its own"""
    manifest = manifest_io.load(many / "manifest.json")
    assert manifest.counters_entries > 1
    with net.here():  # a minute is little for the verifier of an emulated machine
        apply(Request(many, settings=("uplink=eth0",)))
    before = net.arrived()
    send(net, FIRST, 3)
    send(net, LAST, 4)
    after = net.arrived()
    assert (after[0] - before[0], after[1] - before[1]) == (7, 0)
    found = json.loads(net.ctl("stats", NAME, "--format", "json", check=0).stdout)["counters"]
    moved = {c["name"]: (c["packets"], c["bytes"]) for c in found if c["packets"] and c["rule"]}
    assert moved == {f"egress_rule_r{FIRST}": (3, 150), f"egress_rule_r{LAST}": (4, 200)}
    entries = {c.offset // manifest.counters_size for c in manifest.counters if c.name in moved}
    assert len(entries) == 2
