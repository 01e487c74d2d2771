"""As many rules as a spec may have compile and load, and leave headroom: a program's jumps reach 32767 instructions."""

from __future__ import annotations

import pytest

from encap_compile.compile.checks.rule_count import MOST_RULES

from ..support.many_counters import many
from ..support.verifier_work import verifier_work
from .specs import HEAD, Compile

STACKS = """
encapsulations:
  gre: [{ip: {source: host.address, destination: endpoint.address}}, {gre: {key: 7}}]
endpoints:
  sites:
    key: destination
    fields: {address: ip}
    encapsulation: gre
    rows: [{destination: 10.0.0.0/8, address: 192.0.2.2}]
egress:
  rules:
    - {name: all, match: {destination: 10.9.0.0/16}, to: sites}
"""
REACH = 32767


@pytest.mark.parametrize(
    ("action", "most"), [("to: sites", 60), ("to: sites, on_miss: next", 60), ("action: drop", 35)]
)
def test_loads(compiled: Compile, action: str, most: int) -> None:
    """`most` instructions for each rule, which has a prefix, a protocol, a port and a range."""
    match = "match: {{destination: 10.{}.{}.0/24, protocol: tcp, destination_port: [443, 8000-8100]}}"
    rules = (f"    - {{name: r{n}, {match.format(n // 250, n % 250)}, {action}}}\n" for n in range(MOST_RULES - 1))
    works = verifier_work(compiled(HEAD + STACKS + "".join(rules) + "  default: pass\n"))
    assert max(work.loaded for work in works.values()) < most * MOST_RULES < REACH, works


def test_many_encapsulations(compiled: Compile) -> None:
    """A table whose rows have one of 60: what clang keeps of the packet's context is read as the verifier wants it."""
    works = verifier_work(compiled(many(5, 60)))
    assert all(work.loaded < REACH for work in works.values()), works
