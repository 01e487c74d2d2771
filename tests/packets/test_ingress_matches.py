"""Many ingress rules that look into the inner packet: they verify, the first that fits counts, and refusals say why."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import GRE

from .arriving import arriving
from .datapath import OWN, Datapath
from .inner import frame, packet
from .specs import HEAD, Compile
from .ways import Way

STACKS = {
    "ipip": "[{ip: {source: host.address, destination: endpoint.to}}]",
    "gre": "[{ip: {source: host.address, destination: endpoint.to}}, {gre: {key: 7}}]",
}


def spec(kind: str, rules: int) -> str:
    written = "".join(
        f"    - {{name: r{n}, decapsulate: {kind}, from: all.to, match: {{protocol: tcp, source: 10.{n}.0.0/16}}}}\n"
        for n in range(rules)
    )
    rows = '[{destination: 11.0.0.0/8, to: 192.0.2.1}, {destination: 12.0.0.0/8, to: "2001:db8::4"}]'
    return f"""{HEAD}
encapsulations: {{{kind}: {STACKS[kind]}}}
endpoints: {{all: {{key: destination, fields: {{to: ip}}, encapsulation: {kind}, rows: {rows}}}}}
egress: {{rules: [{{name: out, match: {{destination: 11.0.0.0/8}}, to: all}}], default: pass}}
ingress:
  rules:
{written}"""


# From three rules on, clang 19 and later joined the lookups of their sources by `|`, which the verifier refuses.
@pytest.mark.parametrize("rules", [1, 2, 3, 60])
@pytest.mark.parametrize("kind", STACKS)
def test_first_match(compiled: Compile, kind: str, rules: int) -> None:
    with Datapath(compiled(spec(kind, rules))) as datapath:
        for remote in ("192.0.2.1", "2001:db8::4"):
            for n in (0, rules - 1):
                given = arriving(Way("", kind, "11.0.0.1", remote, "", 7), packet("tcp", f"10.{n}.0.1", "10.99.0.1"))
                outcome = datapath.ingress(given)
                assert (outcome.verdict, list(outcome.counted)) == ("pass", [f"ingress_rule_r{n}"])
        for remote, source, reason in (
            ("192.0.2.1", "10.200.0.1", "match"),
            ("2001:db8::4", "10.200.0.1", "match"),
            ("192.0.2.2", "10.0.0.1", "source"),
            ("2001:db8::5", "10.0.0.1", "source"),
        ):
            given = arriving(Way("", kind, "11.0.0.1", remote, "", 7), packet("tcp", source, "10.99.0.1"))
            outcome = datapath.ingress(given)
            assert (outcome.verdict, outcome.frame) == ("drop", given)
            assert list(outcome.counted) == [f"refused_{kind}__{reason}"]


@pytest.mark.parametrize(
    ("remote", "source", "expected"),
    [
        ("192.0.2.1", "10.9.0.1", "ingress_rule_all"),
        ("198.51.100.1", "10.0.0.1", "ingress_rule_some"),
        ("198.51.100.1", "10.9.0.1", "refused_ipip__match"),  # its source is listed
        ("203.0.113.1", "10.0.0.1", "refused_ipip__source"),
    ],
)
def test_rules_with_and_without_a_match(compiled: Compile, remote: str, source: str, expected: str) -> None:
    text = f"""{HEAD}
encapsulations: {{ipip: {STACKS["ipip"]}}}
ingress:
  rules:
    - {{name: all, decapsulate: ipip, from: 192.0.2.0/24}}
    - {{name: some, decapsulate: ipip, from: 198.51.100.0/24, match: {{source: 10.0.0.0/16}}}}
"""
    with Datapath(compiled(text)) as datapath:
        given = arriving(Way("", "ipip", "11.0.0.1", remote, "", 7), packet("tcp", source, "10.99.0.1"))
        assert list(datapath.ingress(given).counted) == [expected]


@pytest.mark.parametrize(("header", "everybody"), [("ip", '["0.0.0.0/0", "::/0"]'), ("ipv4", "0.0.0.0/0")])
def test_everybody_by_prefixes(compiled: Compile, header: str, everybody: str) -> None:
    """As `from: any`: no source is compared, and replies may go to all."""
    text = f"""{HEAD if header == "ip" else HEAD.replace("address: {type: ip,", "address: {type: ipv4,")}
encapsulations: {{gre: [{{{header}: {{source: host.address, destination: received.{header}.source}}}}, {{gre: {{}}}}]}}
ingress: {{rules: [{{name: in, decapsulate: gre, from: {everybody}, learn: {{for: replies, capacity: 9, idle: 60s}}}}]}}
egress: {{rules: [{{name: back, reflect: in}}], default: drop}}
"""
    with Datapath(compiled(text)) as datapath:
        came = frame(IP(src="203.0.113.1", dst=OWN[4]) / GRE() / IP(packet("tcp", "10.0.0.1", "10.99.0.1")))
        assert list(datapath.ingress(came).counted) == ["ingress_rule_in", "flows_learned"]
        sent = datapath.egress(frame(IP(src="10.99.0.1", dst="10.0.0.1") / came_ports(came)))
        assert (IP(sent.frame[14:]).dst, list(sent.counted)) == ("203.0.113.1", ["egress_rule_back"])
        again = datapath.egress(sent.frame)
        assert (again.frame, list(again.counted)) == (sent.frame, ["egress_own_stack"])


def came_ports(came: bytes) -> TCP:
    """The header of an answer."""
    asked = IP(came[38:])[TCP]
    return TCP(sport=asked.dport, dport=asked.sport, flags="A")
