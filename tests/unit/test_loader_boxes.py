"""What rules match, as boxes: where they meet, and where one leaves nothing over."""

from __future__ import annotations

import pytest

from encap_compile.common.manifest import RuleSummary
from encap_compile.run.loader.boxes import Box, box_of, prefixes


def box(*destinations: str, cgroup: str = "/all", **match: str) -> Box:
    words = {word: tuple(text.split()) for word, text in match.items()}
    return box_of(RuleSummary("r", "egress", "", "s:1", destinations, match=words), cgroup)


@pytest.mark.parametrize(
    ("some", "other", "covers", "text"),
    [
        (box("10.0.0.0/8"), box("10.1.0.0/16"), True, "10.1.0.0/16"),
        (box("10.1.0.0/16"), box("10.0.0.0/8"), False, "10.1.0.0/16"),
        (box(), box("2001:db8::/32"), True, "2001:db8::/32"),
        (box("10.0.0.0/9", "10.128.0.0/9"), box("10.0.0.0/8"), True, "10.0.0.0/8"),  # two halves are the whole
        (box("0.0.0.0/0"), box(), False, "0.0.0.0/0"),
        (box(protocol="6 17"), box(protocol="6", destination_port="443"), True, "packets to any destination"),
        (box(destination_port="8000-8999"), box(destination_port="8080"), True, "packets to any destination"),
        (box(destination_port="80"), box(destination_port="80-81"), False, "packets to any destination"),
        (box(mark="0-10"), box(mark="5 20"), False, "packets to any destination"),
        (box(dscp="46"), box(source="10.0.0.0/8"), False, "packets to any destination"),
        (box(cgroup="/all"), box(), True, "packets to any destination"),
        (Box(cgroups=frozenset({"/a"})), Box(cgroups=frozenset({"/a/b"})), True, "packets to any destination"),
        (Box(cgroups=frozenset({"/a/b"})), Box(cgroups=frozenset({"/a"})), False, "packets to any destination"),
    ],
)
def test_that_meet(some: Box, other: Box, covers: bool, text: str) -> None:
    both = some.meets(other)
    assert both is not None and both.text() == text
    assert some.covers(other) is covers
    assert some.covers(both) and other.covers(both)


@pytest.mark.parametrize(
    ("some", "other"),
    [
        (box("10.0.0.0/8"), box("11.0.0.0/8")),
        (box("10.0.0.0/8"), box("::/0")),  # numbers of one family are none of the other
        (box(protocol="6"), box(protocol="17")),
        (box("10.0.0.0/8", source_port="1-9"), box("10.0.0.0/8", source_port="10")),
        (box(source="192.0.2.0/25"), box(source="192.0.2.128/25")),
        (Box(cgroups=frozenset({"/a"})), Box(cgroups=frozenset({"/ab"}))),
    ],
)
def test_that_are_apart(some: Box, other: Box) -> None:
    assert some.meets(other) is None and other.meets(some) is None


def test_cgroups_are_below_the_attached_one() -> None:
    rule = RuleSummary("r", "egress", "", "s:1", match={"cgroup": ("x.slice", "")})
    assert box_of(rule, "/all").cgroups == {"/all/x.slice", "/all"}
    assert box_of(rule, "/").cgroups == {"/x.slice", "/"}


def test_families() -> None:
    assert box().families == {4, 6}
    assert box("10.0.0.0/8").families == {4}
    assert box(source="2001:db8::/32").families == {6}
    assert prefixes(["10.0.0.0/9", "10.128.0.0/9"]) == prefixes(["10.0.0.0/8"])
