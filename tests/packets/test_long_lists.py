"""Prefix lists: each rule has its own, also where two name the same set, and each set, whatever it is called."""

from __future__ import annotations

import pytest

from .datapath import Datapath
from .inner import frame, packet
from .specs import HEAD, Compile

LONG = f"[{', '.join(f'10.{i}.0.0/16' for i in range(1, 10))}]"  # more than rules compare one by one
SPEC = f"""
sets: {{long: {LONG}}}
egress:
  rules:
    - {{name: wide, match: {{destination: [long, 172.16.0.0/12]}}, action: drop}}
    - {{name: narrow, match: {{source: long}}, action: drop}}
    - {{name: same, match: {{destination: 192.0.2.0/24, source: [long, 172.16.0.0/12]}}, action: drop}}
  default: pass
"""
INGRESS = f"""
encapsulations:
  ipip: [{{ip: {{source: host.address, destination: endpoint.address}}}}]
endpoints:
  ends: {{fields: {{address: ip}}, encapsulation: ipip, rows: [{{name: a, address: 192.0.2.1}}]}}
egress:
  rules: [{{name: all, match: {{destination: 198.51.100.0/24}}, to: ends/a}}]
  default: pass
ingress:
  rules: [{{name: back, decapsulate: ipip, from: any, match: {{destination: {LONG}}}}}]
"""


@pytest.mark.parametrize(
    ("source", "destination", "rule"),
    [
        ("192.0.2.9", "10.3.0.1", "wide"),
        ("192.0.2.9", "172.16.0.1", "wide"),  # beside the set, in this rule alone
        ("10.3.0.1", "198.51.100.1", "narrow"),
        ("172.16.0.1", "198.51.100.1", ""),
        ("172.16.0.1", "192.0.2.1", "same"),
        ("192.0.2.9", "10.10.0.1", ""),
    ],
)
def test_prefixes_beside_a_set_are_the_rules_own(compiled: Compile, source: str, destination: str, rule: str) -> None:
    with Datapath(compiled(HEAD + SPEC)) as datapath:
        outcome = datapath.egress(frame(packet("tcp", source, destination)))
    assert outcome.verdict == ("drop" if rule else "pass")
    assert list(outcome.counted) == [f"egress_rule_{rule}" if rule else "egress_default"]


def test_one_list_is_one_map(compiled: Compile) -> None:
    """Both families decapsulate by one body: a second map would be filled and never read."""
    with Datapath(compiled(HEAD + INGRESS)) as datapath:
        assert [name for name in datapath.map_names if name.startswith("list_")] == ["list_ingress_back__destination"]


@pytest.mark.parametrize(
    ("destination", "rule"),
    [("10.0.0.1", "two"), ("10.0.1.1", "two"), ("10.0.9.1", "other"), ("10.0.2.1", "")],
)
def test_a_set_may_be_called_as_the_next_prefix_of_another(compiled: Compile, destination: str, rule: str) -> None:
    """The second prefix of `a` is not the first of `a-2`."""
    spec = """
sets: {a: [10.0.0.0/24, 10.0.1.0/24], a-2: [10.0.9.0/24]}
egress:
  rules:
    - {name: two, match: {destination: a}, action: drop}
    - {name: other, match: {destination: a-2}, action: drop}
  default: pass
"""
    with Datapath(compiled(HEAD + spec)) as datapath:
        outcome = datapath.egress(frame(packet("tcp", "192.0.2.9", destination)))
    assert list(outcome.counted) == [f"egress_rule_{rule}" if rule else "egress_default"]


@pytest.mark.parametrize(
    ("source", "destination", "sent"),
    [
        ("10.3.0.1", "192.0.2.9", False),
        ("fd00:1::5", "fd00:9::1", True),  # the rule before is about IPv4, and its list is not
    ],
)
def test_a_rule_for_one_family_by_a_list_of_both(compiled: Compile, source: str, destination: str, sent: bool) -> None:
    spec = f"""
sets: {{both: [{LONG[1:-1]}, "fd00:1::/32"]}}
encapsulations:
  ipip: [{{ip: {{source: host.address, destination: endpoint.address}}}}]
endpoints:
  ends: {{fields: {{address: ip}}, encapsulation: ipip, rows: [{{name: a, address: 192.0.2.1}}]}}
egress:
  rules:
    - {{name: past, match: {{destination: 0.0.0.0/0, source: both}}, action: pass}}
    - {{name: rest, match: {{destination: "fd00::/16"}}, to: ends/a}}
  default: pass
"""
    with Datapath(compiled(HEAD + spec)) as datapath:
        outcome = datapath.egress(frame(packet("tcp", source, destination)))
    assert list(outcome.counted) == [f"egress_rule_{'rest' if sent else 'past'}"]
