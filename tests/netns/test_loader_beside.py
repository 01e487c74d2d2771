"""Two bundles on one device: overlaps are named with both spec lines before a packet finds them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from encap_compile.common.manifest_io import load
from tests.netns.loader_net import ATTACH, Wire, wire
from tests.support import cli

pytestmark = pytest.mark.kernel
SPEC = """apiVersion: encap/v1alpha1
name: {name}
host: {{uplink: device, vtep: {{type: ip, default: uplink.address}}}}
attach: {{devices: [host.uplink]}}
encapsulations:
  tunnel:
{stack}
endpoints:
  sites: {{key: destination, fields: {{address: ipv4}}, encapsulation: tunnel, capacity: 64, rows: [{rows}]}}
egress:
  rules:
{rules}
  default: {default}
{ingress}
"""
IPIP = "    - ipv4: {source: host.vtep, destination: endpoint.address}"
GRE = IPIP + "\n    - gre: {}"
ROW = "{destination: 10.1.0.0/16, address: 192.0.2.2}"


def bundle(
    folder: Path,
    name: str,
    *rules: str,
    stack: str = IPIP,
    rows: str = ROW,
    default: str = "pass",
    ingress: str = "",
) -> Path:
    spec = folder / f"{name}.yaml"
    lines = "\n".join(f"    - {{{rule}}}" for rule in rules)
    text = SPEC.format(name=name, stack=stack, rows=rows, rules=lines, default=default, ingress=ingress)
    spec.write_text(text.replace("  rules:\n\n", ""))
    return cli.compile_spec(spec, folder / f"{name}.build")[0]


def codes(net: Wire, planned: Path, *words: str) -> tuple[int, dict[str, str]]:
    """The exit code of plan, and each code with its severity."""
    done = net.ctl("plan", planned, "--set", "uplink=eth0", "--format", "json", *words)
    found = json.loads(done.stdout)["diagnostics"]
    return done.returncode, {d["code"]: d["severity"] for d in found if d["code"] in ("H142", "H143", "H144", "H145")}


WEB = "name: web, match: {destination: 10.1.0.0/16}, to: sites"


@pytest.mark.parametrize("attach", ATTACH)
def test_a_renamed_spec(tmp_path: Path, attach: str) -> None:
    old, new = bundle(tmp_path, "old", WEB), bundle(tmp_path, "new", WEB)
    with wire() as net:
        net.apply(old, "--attach", attach)
        refused = net.apply(new, "--attach", attach, check=6)
        first, later = ("old", "new") if attach == "tcx" else ("new", "old")
        assert f"error[H142]: on eth0, {first} runs before {later}: its rule web (egress.rules.web)" in refused.stderr
        assert f"rule web (egress.rules.web) of {later}" in refused.stderr and "--replace old" in refused.stderr
        assert not [left for left in net.left() if "/new" in left or ":new:" in left]
        assert codes(net, new, "--attach", attach) == (6, {"H142": "error"})
        assert codes(net, new, "--attach", attach, "--replace", "old") == (3, {})
        allowed = net.apply(new, "--attach", attach, "--allow-overlap")
        assert "warning[H142]" in allowed.stderr
        # Who is named first is who gets the packets.
        assert net.send(7) == (7, 0)
        assert [_chosen(net, name) for name in (first, later)] == [7, 0]
        assert (
            "warning[H142]" in net.apply(new, "--attach", attach).stderr
        )  # it runs: no refusal that would stop an upgrade
        for name in ("old", "new"):
            net.ctl("remove", name, check=0)


def _chosen(net: Wire, name: str) -> int:
    """Packets that rules of a bundle have encapsulated."""
    counters = json.loads(net.ctl("stats", name, "--format", "json", check=0).stdout)["counters"]
    return sum(int(c["packets"]) for c in counters if c["kind"] == "chosen")


APART = {
    "another prefix": "name: r, match: {destination: 10.2.0.0/16}, to: sites",
    "another protocol": "name: r, match: {destination: 10.1.0.0/16, protocol: tcp}, to: sites",
    "another port": "name: r, match: {destination: 10.1.0.0/16, protocol: udp, destination_port: 500-600}, to: sites",
    "another mark": "name: r, match: {mark: 9}, to: sites",
    "another family": "name: r, match: {destination: '2001:db8::/32'}, to: sites",
}


def test_rules_that_are_apart(tmp_path: Path) -> None:
    rule = (
        "name: web, match: {destination: 10.1.0.0/16, protocol: udp, destination_port: 1000-2000, mark: 0-8}, to: sites"
    )
    old = bundle(tmp_path, "old", rule)
    with wire() as net:
        net.apply(old, "--attach", ATTACH[0])
        for i, (what, text) in enumerate(APART.items()):
            row = ROW if "family" not in what else "{destination: '2001:db8::/32', address: 192.0.2.2}"
            assert codes(net, bundle(tmp_path, f"n{i}", text, rows=row), "--attach", ATTACH[0])[1] == {}, what
        net.ctl("remove", "old", check=0)


def test_parts_of_rules(tmp_path: Path) -> None:
    """A part is a warning, the whole an error; what an earlier rule decides is nobody's loss."""
    passed = "name: own, match: {destination: 10.1.9.0/24}, action: pass"
    net_attach = ("--attach", ATTACH[0])
    with wire() as net:
        net.apply(bundle(tmp_path, "old", passed, WEB), *net_attach)
        part = "name: r, match: {destination: 10.0.0.0/8}, to: sites"
        narrow = "name: r, match: {destination: 10.1.7.0/24, protocol: tcp}, to: sites"
        left_alone = "name: r, match: {destination: 10.1.9.0/25}, to: sites"
        late = "name: skip, match: {destination: 10.1.0.0/16}, action: pass"
        by_row = "name: r, match: {destination: 10.0.0.0/8}, to: sites, on_miss: next"
        far = "{destination: 10.200.0.0/16, address: 192.0.2.2}"
        if ATTACH[0] == "tcx":  # the old one runs first
            assert codes(net, bundle(tmp_path, "part", part), *net_attach)[1] == {"H142": "warning"}
            assert codes(net, bundle(tmp_path, "narrow", narrow), *net_attach)[1] == {"H142": "error"}
        assert codes(net, bundle(tmp_path, "alone", left_alone), *net_attach)[1] == {}
        assert codes(net, bundle(tmp_path, "late", late, part), *net_attach)[1] == {}
        assert codes(net, bundle(tmp_path, "rows", by_row, rows=far), *net_attach)[1] == {}
        assert "H142" in codes(net, bundle(tmp_path, "row", by_row), *net_attach)[1]
        net.ctl("remove", "old", check=0)


def test_a_default_that_drops(tmp_path: Path) -> None:
    """What the first one has encapsulated, the later one drops, unless it takes it for its own."""
    attach = ("--attach", ATTACH[0])
    other = "name: other, match: {destination: 10.77.0.0/16}, to: sites"
    row = "{destination: 10.77.0.0/16, address: 192.0.2.99}"
    with wire() as net:
        net.apply(bundle(tmp_path, "old", WEB), *attach)
        code, found = codes(net, bundle(tmp_path, "drops", other, rows=row, stack=GRE, default="drop"), *attach)
        if ATTACH[0] == "tcx":
            assert (code, found) == (6, {"H143": "error"})
            net.apply(tmp_path / "drops.build" / "drops", *attach, "--allow-overlap")
            assert net.send(5) == (0, 0)  # as it was said
            net.ctl("remove", "drops", check=0)
        tunnel = "name: tunnels, match: {destination: 192.0.2.0/24, protocol: [4, 47]}, action: pass"
        passing = bundle(tmp_path, "passes", tunnel, other, rows=row, stack=GRE, default="drop")
        assert "H143" not in codes(net, passing, *attach)[1]
        same = bundle(
            tmp_path, "same", other, rows=f"{row}, {{destination: 10.78.0.0/16, address: 192.0.2.2}}", default="drop"
        )
        assert "H143" not in codes(net, same, *attach)[1]
        net.ctl("remove", "old", check=0)


def test_both_receive(tmp_path: Path) -> None:
    peers = "ingress: {rules: [{name: peers, decapsulate: tunnel, from: sites.address}]}"
    softly = peers.replace("{rules", "{refuse: pass, rules")
    far = "name: far, match: {destination: 10.99.0.0/16}, to: sites"
    row = "{destination: 10.99.0.0/16, address: 192.0.2.77}"
    attach = ("--attach", ATTACH[0])
    with wire() as net:
        net.apply(bundle(tmp_path, "old", WEB, ingress=softly), *attach)
        found = codes(net, bundle(tmp_path, "new", far, rows=row, ingress=peers), *attach)[1]
        assert found["H144"] == ("warning" if ATTACH[0] == "tcx" else "error")
        assert codes(net, bundle(tmp_path, "gre", far, rows=row, ingress=peers, stack=GRE), *attach)[1] == {}
        net.ctl("remove", "old", check=0)
        net.apply(bundle(tmp_path, "hard", WEB, ingress=peers), *attach)
        done = net.ctl("plan", tmp_path / "new.build" / "new", "--set", "uplink=eth0", *attach, check=6)
        assert "error[H144]" in done.stderr and "IP protocol 4 or 41 over IPv4" in done.stderr
        other = net.ctl(
            "plan", tmp_path / "new.build" / "new", "--set", "uplink=eth0", "--set", "vtep=192.0.2.50", *attach
        )
        assert "H144" not in other.stderr  # another own address
        net.ctl("remove", "hard", check=0)


def test_the_manifest_tells(tmp_path: Path) -> None:
    manifest = load(bundle(tmp_path, "old", WEB) / "manifest.json")
    rule = next(r for r in manifest.rules if r.name == "web")
    assert (rule.action, rule.on_miss, rule.destinations) == ("encapsulate", "drop", ("10.1.0.0/16",))


def test_devices_above_each_other(tmp_path: Path) -> None:
    """A packet that leaves by the upper device passes the lower one, too."""
    old, new = bundle(tmp_path, "old", WEB), bundle(tmp_path, "new", WEB)
    with wire() as net:
        net.ours.ip("link add link eth0 name upper type macvlan mode bridge", "link set upper up")
        net.ours.ip("addr add 198.51.100.1/24 dev upper")
        net.ctl("apply", old, "--set", "uplink=upper", check=0)
        done = net.ctl("plan", new, "--set", "uplink=eth0", check=6)
        assert "error[H142]: on upper and then eth0, old runs before new" in done.stderr
        net.ctl("remove", "old", check=0)
        net.ctl("apply", new, "--set", "uplink=eth0", check=0)
        done = net.ctl("plan", old, "--set", "uplink=upper", check=6)
        assert "error[H142]: on upper and then eth0, old runs before new" in done.stderr
        net.ours.ip("link add far type veth peer name far2", "link set far up", "addr add 203.0.113.1/24 dev far")
        assert "H142" not in net.ctl("plan", old, "--set", "uplink=far").stderr
        net.ctl("remove", "new", check=0)


def test_a_thousand_rules(tmp_path: Path) -> None:
    """Rules are compared by where they begin, not each with each."""
    from encap_compile.run.loader.beside import Rule
    from encap_compile.run.loader.boxes import Box, prefixes
    from encap_compile.run.loader.overlaps import _meeting

    def rules(first: int) -> list[Rule]:
        found = [
            Rule(
                f"r{i}", "encapsulate", "x:1", Box({"destination": prefixes([f"10.{first + i // 250}.{i % 250}.0/24"])})
            )
            for i in range(1000)
        ]
        return [*found, Rule("default", "pass", "x:2", Box())]

    begun = time.monotonic()
    met = _meeting(rules(0), rules(2))
    assert time.monotonic() - begun < 1.0
    assert {(i, j) for i, j in met if i < 1000 and j < 1000} == {(500 + k, k) for k in range(500)}
    assert (1000, 1000) in met and (3, 1000) in met and (1000, 3) in met
