"""From a program whose counters stand in one value of their map to one that needs several entries, and back: every
total goes on, under traffic, and is shown whichever entry it stands in."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from encap_compile.common import manifest_io
from encap_compile.compile import pipeline
from tests.netns.loader_net import ATTACH, Wire, wire
from tests.support.many_counters import RULES, many
from tests.support.metrics import samples

pytestmark = pytest.mark.kernel
NAME = "many"
FEW = 260  # rules
INSIDE, FAR = "egress_rule_r250", f"egress_rule_r{RULES - 1}"  # 10.1.0.0/24, and the last
SET = ("--set", "uplink=eth0")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("few"), many(FEW, 2))


@pytest.fixture(scope="module")
def more(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("more"), many())


def build(folder: Path, text: str) -> Path:
    (folder / "many.yaml").write_text(text)
    pipeline.compile_spec(str(folder / "many.yaml"), folder)
    return folder / NAME


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made
        made.ctl("remove", NAME)


def sent(net: Wire, count: int) -> int:
    """Send packets for the rule of 10.1.0.0/24; how many arrived encapsulated."""
    return net.send(count)[0]


def far(net: Wire, count: int) -> int:
    """The same for the last rule of many, whose counter stands in another entry."""
    before = net.arrived()[0]
    with net.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(b"x" * 22, (f"10.1.{RULES - 1 - 250}.1", 7))
    return net.arrived()[0] - before


def moved(net: Wire) -> dict[str, tuple[int, int]]:
    """What rules have counted."""
    found = json.loads(net.ctl("stats", NAME, "--format", "json", check=0).stdout)["counters"]
    return {c["name"]: (c["packets"], c["bytes"]) for c in found if c["packets"] and c["rule"]}


@pytest.mark.parametrize("attach", ATTACH)
def test_up_back_and_up_again(net: Wire, few: Path, more: Path, attach: str) -> None:
    assert manifest_io.load(few / "manifest.json").counters_entries == 0
    manifest = manifest_io.load(more / "manifest.json")
    assert {c.offset // manifest.counters_size for c in manifest.counters if c.name in (INSIDE, FAR)} == {2, 3}
    net.apply(few, "--attach", attach)
    assert (sent(net, 20), moved(net)) == (20, {INSIDE: (20, 1000)})

    done = net.apply(more)
    assert "counters kept" in done.stdout and "H154" not in done.stdout + done.stderr
    assert moved(net) == {INSIDE: (20, 1000)}
    assert (sent(net, 20), far(net, 5), moved(net)) == (20, 5, {INSIDE: (40, 2000), FAR: (5, 250)})
    text = net.ctl("stats", NAME, "--format", "prometheus", check=0).stdout
    totals = {
        dict(labels)["rule"]: v for (name, labels), v in samples(text).items() if name == "encap_packets_total" and v
    }
    assert totals.items() >= {"r250": 40, f"r{RULES - 1}": 5}.items()
    net.ctl("status", more, check=0)
    assert net.ctl("plan", more, *SET, check=0)

    with net.flood(1000) as flooded:
        done = net.apply(few, "--allow-removals", "40")
    assert "counters kept" in done.stdout and "H154" not in done.stdout + done.stderr
    assert moved(net) == {INSIDE: (40 + flooded["sent"], 50 * (40 + flooded["sent"]))}
    assert far(net, 5) == 0, "the rule is no more"

    net.apply(more)
    seen = 40 + flooded["sent"]
    assert moved(net) == {INSIDE: (seen, 50 * seen), FAR: (5, 250)}, "what a rule had counted is kept while it is gone"
    assert (far(net, 2), moved(net)[FAR]) == (2, (7, 350))
    net.ctl("remove", NAME, check=0)
    assert net.left() == []
