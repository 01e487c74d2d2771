"""A packet that hides its ports, after a rule whose row is missing: never a reason to let it go unencapsulated."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from .datapath import Datapath
from .inner import frame
from .specs import HEAD, Compile

BODY = """
encapsulations: {{e: [{{ip: {{source: host.address, destination: endpoint.to}}}}]}}
endpoints:
  dns: {{key: {key}, fields: {{to: ip}}, encapsulation: e, rows: [{row}]}}
  rest: {{key: destination, fields: {{to: ip}}, encapsulation: e, rows: [{{destination: 10.0.0.0/8, to: 192.0.2.9}}]}}
egress:
  rules:
    - {{name: dns, match: {{protocol: udp{port}}}, to: dns, on_miss: {on_miss}}}
    - {{name: rest, match: {{destination: 10.0.0.0/8}}, to: rest}}
  default: pass
"""
BY_DESTINATION = {"key": "destination", "row": "{destination: 10.99.0.0/16, to: 192.0.2.8}"}
BY_PORT = {"key": "destination_port", "row": "{destination_port: 53, to: 192.0.2.8}"}
WHOLE = IP(src="10.0.0.1", dst="10.1.2.3", id=7) / UDP(sport=1, dport=9999) / Raw(bytes(24))
FIRST = IP(src="10.0.0.1", dst="10.1.2.3", id=7, flags="MF") / UDP(sport=1, dport=9999) / Raw(bytes(24))
LATER = IP(src="10.0.0.1", dst="10.1.2.3", id=7, frag=4, proto=17) / Raw(bytes(24))


@pytest.mark.kernel
def test_a_later_fragment_goes_with_the_first(compiled: Compile) -> None:
    """A later fragment is of the rule that took the first; if that was not seen, of any, and does not pass."""
    with Datapath(
        compiled(HEAD + BODY.format(port=", destination_port: 53", on_miss="pass", **BY_DESTINATION))
    ) as datapath:
        assert list(datapath.egress(frame(FIRST)).counted) == ["egress_rule_rest"]
        assert set(datapath.egress(frame(LATER)).counted) == {"egress_rule_rest"}
        lost = IP(src="10.0.0.1", dst="10.1.2.3", id=8, frag=4, proto=17) / Raw(bytes(24))
        counted = {"egress_no_first_fragment", "egress_miss_dns", "egress_rule_rest"}
        assert set(datapath.egress(frame(lost)).counted) == counted
        asked = IP(src="10.0.0.1", dst="10.1.2.3") / UDP(sport=1, dport=53) / Raw(bytes(24))
        outcome = datapath.egress(frame(asked))
        assert (outcome.verdict, list(outcome.counted)) == ("pass", ["egress_miss_dns"])


@pytest.mark.kernel
@pytest.mark.parametrize("on_miss", ["pass", "next"])
def test_a_hidden_key_is_no_missing_row(compiled: Compile, on_miss: str) -> None:
    with Datapath(compiled(HEAD + BODY.format(port="", on_miss=on_miss, **BY_PORT))) as datapath:
        outcome = datapath.egress(frame(LATER))
        assert (outcome.verdict, set(outcome.counted)) == ("drop", {"egress_miss_dns", "egress_no_first_fragment"})
        shown = datapath.egress(frame(WHOLE))
        assert shown.verdict == "pass"
        assert ("egress_rule_rest" in shown.counted) == (on_miss == "next")


@pytest.mark.kernel
def test_many_rules_over_many_tables_verify(compiled: Compile) -> None:
    """The verifier's cost grows with the rules, not with the rules times what they lead to."""
    rules = "".join(
        f"    - {{name: r{i}, match: {{destination: 10.{i}.0.0/16, protocol: tcp, destination_port: [{i + 1}, "
        f"8000-80{i + 10}]}}, to: t{i % 4}, on_miss: {('drop', 'next', 'pass')[i % 3]}}}\n"
        for i in range(60)
    )
    tables = "".join(
        f"  t{i}: {{key: destination, fields: {{to: ip}}, encapsulation: e, "
        f"rows: [{{destination: 10.59.0.0/16, to: 192.0.2.9}}]}}\n"
        for i in range(4)
    )
    text = (
        HEAD
        + "encapsulations: {e: [{ip: {source: host.address, destination: endpoint.to}}]}\n"
        + f"endpoints:\n{tables}egress:\n  rules:\n{rules}  default: pass\n"
    )
    with Datapath(compiled(text)) as datapath:
        asked = IP(src="10.0.0.1", dst="10.59.2.3") / UDP(sport=1, dport=60)
        asked[IP].proto = 6
        assert list(datapath.egress(frame(asked)).counted) == ["egress_rule_r59"]
