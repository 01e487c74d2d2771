"""A renamed rule that says `was` keeps its totals over upgrades under traffic; others start at 0. `plan` says which."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from encap_compile.compile import pipeline
from tests.netns.loader_net import ATTACH, Wire, wire

pytestmark = pytest.mark.kernel
NAME = "named"
SPEC = """\
apiVersion: encap/v1alpha1
name: named
host: {{uplink: device, vtep: {{type: ipv4, default: uplink.address}}}}
attach: {{devices: host.uplink}}
encapsulations:
  ipip: [{{ipv4: {{source: host.vtep, destination: endpoint.address}}}}]
endpoints:
  sites:
    key: destination
    fields: {{address: ipv4}}
    encapsulation: ipip
    rows: [{{destination: 10.1.0.0/16, address: 192.0.2.2}}]
egress:
  rules: [{{name: {rule}, match: {{destination: 10.1.0.0/16}}, to: sites}}]
  default: pass
ingress: {{rules: [{{name: back, decapsulate: ipip, from: sites.address}}]}}
"""
SET = ("--set", "uplink=eth0")


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


def build(folder: Path, rule: str) -> Path:
    folder.mkdir()
    (folder / "named.yaml").write_text(SPEC.format(rule=rule))
    pipeline.compile_spec(str(folder / "named.yaml"), folder / "build")
    return folder / "build" / NAME


def document(net: Wire, *words: str | Path) -> Any:
    return json.loads(net.ctl(*words, "--format", "json").stdout)


def counted(net: Wire) -> dict[str, int]:
    """What rules that encapsulate have counted."""
    found = document(net, "stats", NAME)["counters"]
    return {c["rule"]: c["packets"] for c in found if c["outcome"] == "encapsulated"}


@pytest.mark.parametrize("attach", ATTACH)
def test_totals_go_on_under_the_new_name(net: Wire, tmp_path: Path, attach: str) -> None:
    old, new = build(tmp_path / "old", "web"), build(tmp_path / "new", "front, was: web")
    net.apply(old, "--attach", attach)
    assert net.send() == (20, 0) and counted(net) == {"web": 20}
    assert "totals  carried: web -> front\n" in net.ctl("plan", new, *SET, check=3).stdout
    assert document(net, "plan", new, *SET)["totals"] == {
        "carried": [{"rule": "front", "was": "web"}],
        "begin": [],
        "end": [],
    }
    with net.flood(2000) as flooded:
        done = net.apply(new, "--attach", attach)
    assert "totals  carried: web -> front\n" in done.stdout and "H154" not in done.stdout + done.stderr
    assert net.arrived() == (20 + flooded["sent"], 0)
    seen = counted(net)["front"]
    assert seen == 20 + flooded["sent"], "nothing was lost, and nothing counted twice"
    assert document(net, "plan", new, *SET)["totals"] == {"carried": [], "begin": [], "end": []}

    # The next version leaves `was` out, and the one after that has a rule of the old name.
    net.apply(build(tmp_path / "later", "front"), "--attach", attach)
    assert counted(net) == {"front": seen}
    again = build(tmp_path / "again", "web")
    assert "totals  start at 0: web\n" in net.ctl("plan", again, *SET, check=3).stdout
    net.apply(again, "--attach", attach)
    assert counted(net) == {"web": 0}


def test_without_was_a_renamed_rule_begins_at_0(net: Wire, tmp_path: Path) -> None:
    net.apply(build(tmp_path / "old", "web"))
    assert net.send() == (20, 0)
    new = build(tmp_path / "new", "front")
    said = net.ctl("plan", new, *SET, check=3).stdout
    assert "totals  start at 0: front\n" in said and "totals  no longer shown: web\n" in said
    net.apply(new)
    assert counted(net) == {"front": 0}
    # Said a version later, it finds what was kept.
    late = build(tmp_path / "late", "front, was: web")
    net.apply(late)
    assert net.send() == (20, 0) and counted(net) == {"front": 40}
