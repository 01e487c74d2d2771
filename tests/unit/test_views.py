"""What encapctl prints when it has removed a bundle."""

from __future__ import annotations

from dataclasses import replace

from encap_compile.common.manifest import RuleSummary
from encap_compile.run.kernel.hooks.base import Point
from encap_compile.run.remove import Detached, Removed, pass_now
from encap_compile.run.views import counted
from encap_compile.run.views.status_view import removed_document, removed_text


def rule(name: str, text: str, table: str = "") -> RuleSummary:
    return RuleSummary(name, "egress", text, "s.yaml:7", ("10.0.0.0/8",), table, "", "d")


WEB = rule("web", "10.0.0.0/8 tcp 443 -> sites, no row: drop", "sites")
LAB = rule("lab", "from 10.9.0.0/16: drop")
DEFAULT = rule("default", "drop")
HOOK = Detached("up0", Point.EGRESS, "tcx")


def test_removed() -> None:
    assert removed_text(Removed("s", (HOOK,), 1, (WEB,), (LAB, DEFAULT))) == (
        "removed `s`: 1 program detached, 1 map unpinned\n"
        "  - hook up0 tcx egress\n"
        "  now unencapsulated: 10.0.0.0/8 tcp 443   (rule web, s.yaml:7)\n"
        "  no longer dropped: from 10.9.0.0/16   (rule lab, s.yaml:7)\n"
        "  no longer dropped: everything else   (rule default, s.yaml:7)\n"
    )
    assert removed_text(Removed("s", (), 0, ())) == "removed `s`: 0 programs detached, 0 maps unpinned\n"


def test_many_rules_are_counted() -> None:
    many = tuple(rule(f"r{i}", f"10.{i}.0.0/16 -> sites, no row: drop", "sites") for i in range(300))
    lines = removed_text(Removed("s", (HOOK,), 4, many)).splitlines()
    assert len(lines) == 2 + 20 + 1
    assert lines[-1] == "  now unencapsulated: what 280 more rules matched"
    assert removed_text(Removed("s", (HOOK,), 4, many[:21])).endswith("what 1 more rule matched\n")
    assert len(removed_document(Removed("s", (HOOK,), 4, many))["unencapsulated"]) == 300


def test_which_rules_pass_now() -> None:
    passes = [rule("open", "from 10.8.0.0/16: pass"), rule("default", "pass")]
    came_in = replace(WEB, direction="ingress")
    assert pass_now([WEB, LAB, DEFAULT, *passes, came_in]) == ((WEB,), (LAB, DEFAULT))


def test_document() -> None:
    document = removed_document(Removed("s", (HOOK,), 1, (WEB,), (LAB,)))
    assert [r["rule"] for r in document["unencapsulated"]] == ["web"]
    assert [r["rule"] for r in document["no_longer_dropped"]] == ["lab"]


def test_counted() -> None:
    assert [counted(n, "map") for n in (0, 1, 2)] == ["0 maps", "1 map", "2 maps"]
