"""What every packet meets is no condition: nothing is compared for it, and no fragment is followed."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from encap_compile.compile import ir
from encap_compile.compile.frontend.load import parse_spec
from encap_compile.compile.lower.program import lower
from encap_compile.compile.resolved import resolve

SPEC = """
apiVersion: encap/v1alpha1
name: conditions
kernel: "5.10"
host: {uplink: device, address: {type: ip, default: uplink.address}}
attach: {devices: [host.uplink]}
encapsulations: {e: [{ip: {source: host.address, destination: endpoint.to}}]}
endpoints: {named: {fields: {to: ip}, encapsulation: e, rows: [{name: one, to: 192.0.2.1}]}}
egress:
  rules:
    - {name: r, match: MATCH, to: named/one, on_miss: pass}
    - {name: seen, match: {destination: SEEN}, action: drop}
  default: pass
"""
BOTH = '[10.0.0.0/8, "fd00::/8"]'


def program(match: str, seen: str = BOTH) -> ir.Program:
    text = SPEC.replace("MATCH", match).replace("SEEN", seen)
    return lower(resolve(parse_spec(text.encode(), "conditions.yaml")), "0").program


@pytest.mark.parametrize(
    ("match", "seen", "expected"),
    [
        ("{}", BOTH, ()),
        ('{destination: ["0.0.0.0/0", "::/0"]}', BOTH, ()),
        ("{destination: 0.0.0.0/0}", BOTH, (ir.IsFamily("ipv4"),)),
        ('{source: "::/0"}', BOTH, (ir.IsFamily("ipv6"),)),
        ("{destination: 0.0.0.0/0}", "10.0.0.0/8", ()),
        ("{destination: 0.0.0.0/0, source: 10.0.0.0/8}", BOTH, (ir.InPrefixes("source", (ip_network("10.0.0.0/8"),)),)),
        ("{mark: 0-4294967295}", BOTH, ()),
        ("{mark: 0-4294967294}", BOTH, (ir.InRanges("mark", ((0, 4294967294),)),)),
    ],
)
def test_conditions(match: str, seen: str, expected: tuple[ir.Condition, ...]) -> None:
    assert program(match, seen).egress.rules[0].conditions == expected


LONG = ", ".join(f"10.{n}.0.0/16" for n in range(12))


@pytest.mark.parametrize(
    ("destination", "listed", "asks_family"),
    [
        ("0.0.0.0/0", f'{LONG}, "fd00::/32"', True),
        ('"::/0"', f'{LONG}, "fd00::/32"', False),  # few enough of IPv6 to be compared
        ("0.0.0.0/0", LONG, False),
        ("10.0.0.0/8", f'{LONG}, "fd00::/32"', False),
        ('["0.0.0.0/0", "::/0"]', f'{LONG}, "fd00::/32"', False),
    ],
)
def test_a_long_list_admits_all_of_its_families(destination: str, listed: str, asks_family: bool) -> None:
    """Its map holds both: where the rule is about one of them, something else must say so."""
    found = program(f"{{destination: {destination}, source: [{listed}]}}").egress.rules[0].conditions
    assert (ir.IsFamily("ipv4") in found) is asks_family
    assert any(isinstance(c, ir.InPrefixMap | ir.InPrefixes) and c.member == "source" for c in found)


@pytest.mark.parametrize(("ports", "asked"), [("0-65535", False), ("0-65534", True), ("1-65535", True)])
def test_all_ports_are_not_asked_for(ports: str, asked: bool) -> None:
    found = program(f"{{destination: 10.0.0.0/8, protocol: udp, destination_port: {ports}}}", "10.0.0.0/8")
    rule = found.egress.rules[0]
    assert any(getattr(c, "member", "") == "destination_port" for c in rule.conditions) is asked
    assert found.egress.fragments is asked
    # A later fragment is of the rule whatever its ports are: `on_miss` is for it as for any other.
    (step,) = rule.steps
    assert isinstance(step, ir.LookUp) and step.skips_lost is asked
