"""Which prefixes `boot: closed` closes, and which rules it leaves open."""

from __future__ import annotations

from dataclasses import replace

from tests.netns.loader_bundle import _manifest

from encap_compile.common.manifest import RuleSummary
from encap_compile.run.loader.closing import closable, left_open

RULES = (
    RuleSummary("to", "egress", "", "s:1", ("10.1.0.0/16", "2001:db8::/32"), "sites", action="encapsulate"),
    RuleSummary("port", "egress", "", "s:2", (), "sites", action="encapsulate", match={"destination_port": ("443",)}),
    RuleSummary("reflect", "egress", "", "s:3", action="reflect", match={"destination": ("10.2.0.0/16",)}),
    RuleSummary("socket", "egress", "", "s:4", ("10.3.0.0/16",), "sites", action="socket"),
    RuleSummary("gone", "egress", "", "s:5", action="drop", match={"destination": ("10.4.0.0/16",)}),
    RuleSummary(
        "mail", "egress", "", "s:6", action="drop", match={"destination": ("10.5.0.0/16",), "protocol": ("6",)}
    ),
    RuleSummary("free", "egress", "", "s:7", action="pass", match={"destination": ("10.6.0.0/16",)}),
    RuleSummary("default", "egress", "drop", "s:8", action="drop"),
    RuleSummary("in", "ingress", "", "s:9", action="decapsulate"),
)
MANIFEST = replace(_manifest("hand", ("web",), False, 16, "5.10", False, False), rules=RULES)


def test_closed() -> None:
    closed = replace(MANIFEST, boot="closed")
    prefixes = ["10.1.0.0/16", "2001:db8::/32", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"]
    assert [str(n) for n in closable(closed)] == prefixes
    assert [r.name for r in left_open(closed)] == ["port", "mail", "default"]


def test_open() -> None:
    assert [r.name for r in left_open(MANIFEST)] == ["to", "port", "reflect", "socket", "gone", "mail", "default"]
