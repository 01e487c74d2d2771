"""Every JSON document of encapctl in its different shapes: made here, and held to its schema by `Wire.ctl`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.netns.loader_bundle import write
from tests.netns.loader_net import ATTACH, HAS_TCX, Wire, wire
from tests.netns.test_release_skew import VIP, learn
from tests.support.cli import compile_spec
from tests.support.netns import STATE

pytestmark = pytest.mark.kernel
SET = ("--set", "uplink=eth0")
SPEC = """\
apiVersion: encap/v1alpha1
name: skew
kernel: "5.10"
host: {uplink: device, address: {type: ip, default: uplink.address}}
attach: {devices: [host.uplink]}
encapsulations:
  ipip:
    - ipv4: {source: host.address, destination: endpoint.address}
endpoints:
  sites: {key: destination, fields: {address: ipv4}, encapsulation: ipip, capacity: 16,
          rows: [{destination: 10.1.0.0/16, address: 192.0.2.2}]}
ingress:
  rules:
    - {name: peers, decapsulate: ipip, from: [192.0.2.0/24], match: {destination: 203.0.113.0/24},
       learn: {for: replies, capacity: CAPACITY, idle: 3600s}}
egress:
  rules:
    - {name: replies, match: {source: 203.0.113.0/24}, reflect: peers}
    - {name: web, match: {destination: 10.1.0.0/16}, to: sites}
    - {name: never, match: {destination: 10.2.0.0/16}, action: drop}
  default: pass
"""


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


def document(net: Wire, *words: str | Path, check: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(net.ctl(*words, "--format", "json", check=check).stdout)
    assert found["errors"] == sum(d["severity"] == "error" for d in found["diagnostics"])
    assert found["warnings"] == sum(d["severity"] == "warning" for d in found["diagnostics"])
    return found


def test_a_bundles_life(net: Wire, tmp_path: Path) -> None:
    one, two = write(tmp_path / "one"), write(tmp_path / "two", rows={"10.1.0.1": "192.0.2.9"}, wide=True)
    assert document(net, "plan", one, *SET, check=3)["in_force"] is None
    applied = document(net, "apply", one, *SET, "--attach", ATTACH[-1])
    assert {h["action"] for h in applied["hooks"]} == {"attach"} and applied["seconds"] > 0
    assert {h["action"] for h in document(net, "plan", one, *SET)["hooks"]} == {"keep"}
    assert {h["action"] for h in document(net, "plan", two, *SET, check=3)["hooks"]} == {"replace"}
    if HAS_TCX:
        words = ("plan", two, *SET, "--attach", "tcx")
        assert {h["action"] for h in document(net, *words, check=3)["hooks"]} == {"switch"}
    assert document(net, "status", "hand")["up"] and document(net, "stats", "hand")["counters"]
    assert [b["name"] for b in document(net, "status")["bundles"]] == ["hand"]
    assert document(net, "watch", two, *SET, "--once")["programs"] == 2
    net.ours.ip("link set eth0 mtu 1400")
    assert document(net, "status", "hand", check=3)["drift"] and document(net, "status", check=3)["drift"]
    for state in (STATE / net.ours.name).rglob("*.json"):
        state.unlink()
    assert document(net, "status", "hand", check=3)["identity"] is None
    removed = document(net, "remove", "hand")
    assert not removed["rules_known"] and len(removed["hooks"]) == 2
    net.apply(one)
    assert [r["rule"] for r in document(net, "remove", one)["unencapsulated"]]
    for words, code in ((("remove", "hand"), 6), (("status", "hand"), 3), (("apply", tmp_path / "none"), 1)):
        assert document(net, *words, check=code)["errors"] == 1
    assert document(net, "sweep")["left"] == []
    assert document(net, "explain", "H152")["code"] == "H152"


def test_what_starts_empty(net: Wire, tmp_path: Path) -> None:
    """A table of flows of another size is a new one: it is said, and not called kept."""
    net.ours.ip(f"addr add {VIP}/32 dev lo", "route add 10.9.0.0/16 via 192.0.2.2 mtu 1400")
    bundles = []
    for capacity in ("64", "6400"):
        spec = tmp_path / capacity / "skew.yaml"
        spec.parent.mkdir()
        spec.write_text(SPEC.replace("CAPACITY", capacity))
        bundles.append(compile_spec(spec, spec.parent)[0])
    net.apply(bundles[0])
    learn(net)
    net.send()
    found = document(net, "plan", bundles[1], *SET, check=3)
    assert found["starts_empty"] == ["flow_table"]
    for verb, code in (("plan", 3), ("apply", 0)):
        said = net.ctl(verb, bundles[1], *SET, check=code).stdout
        assert "map flow_table starts empty" in said
        assert "replaced in place; counters kept, starting empty: flow_table" in said
        assert "maps, counters kept" not in said
    assert document(net, "plan", bundles[1], *SET)["starts_empty"] == []
    counted = {c["name"]: c["packets"] for c in document(net, "stats", "skew")["counters"]}
    assert counted["egress_rule_web"] == 20
