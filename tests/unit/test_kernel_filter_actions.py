"""Filters and actions that this kernel may not have, encoded by pyroute2, which knows them on its own."""

from __future__ import annotations

from typing import Any

import pytest
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from encap_compile.run.kernel.filter_actions import ends_with
from encap_compile.run.kernel.rtnetlink import attributes

IP, ARP = 0x0800, 0x0806
OK, RECLASSIFY, SHOT, PIPE, STOLEN, TRAP, UNSPEC = 0, 1, 2, 3, 4, 8, -1


def generic(kind: str, action: int) -> tuple[str, dict[str, Any]]:
    word = {"vlan": "TCA_VLAN_PARMS", "skbedit": "TCA_SKBEDIT_PARMS"}.get(kind, "TCA_GACT_PARMS")
    return kind, {"attrs": [[word, {"action": action}]]}


def mirred(eaction: int, action: int) -> tuple[str, dict[str, Any]]:
    return "mirred", {"attrs": [["TCA_MIRRED_PARMS", {"action": action, "eaction": eaction, "ifindex": 1}]]}


def encoded(kind: str, name: str, actions: list[tuple[str, dict[str, Any]]]) -> dict[int, bytes]:
    """TCA_OPTIONS as pyroute2 writes them."""
    nested = [
        [f"TCA_ACT_PRIO_{i}", {"attrs": [["TCA_ACT_KIND", act], ["TCA_ACT_OPTIONS", options]]}]
        for i, (act, options) in enumerate(actions, 1)
    ]
    message = tcmsg()
    message["attrs"] = [["TCA_KIND", kind], ["TCA_OPTIONS", {"attrs": [[name, {"attrs": nested}]] if nested else []}]]
    message.encode()
    return attributes(attributes(bytes(message.data[36:]))[2])  # behind nlmsghdr (16) and tcmsg (20)


@pytest.mark.parametrize("kind", ["basic", "fw", "matchall"])
@pytest.mark.parametrize(
    ("actions", "ends"),
    [
        ([], "pass"),
        ([generic("gact", OK)], "pass"),
        ([generic("gact", SHOT)], "drop"),
        ([generic("gact", TRAP)], "trap"),
        ([generic("gact", STOLEN)], "stolen"),
        ([generic("gact", RECLASSIFY)], "reclassify"),
        ([generic("gact", UNSPEC)], ""),
        ([generic("gact", 0x20000007)], "goto chain 7"),
        ([generic("gact", PIPE)], "pass"),
        ([generic("skbedit", PIPE)], "pass"),
        ([generic("skbedit", PIPE), generic("gact", SHOT)], "drop"),
        ([generic("vlan", PIPE), generic("gact", UNSPEC)], ""),
        ([mirred(1, STOLEN)], "redirect to lo"),
        ([mirred(3, STOLEN)], "redirect to lo"),
        ([mirred(2, PIPE)], "mirror to lo, pass"),
        ([mirred(2, PIPE), generic("gact", SHOT)], "mirror to lo, drop"),
        ([mirred(2, UNSPEC)], ""),
        ([mirred(4, UNSPEC)], ""),
    ],
)
def test_what_becomes_of_a_packet(kind: str, actions: list[tuple[str, dict[str, Any]]], ends: str) -> None:
    name = f"TCA_{kind.upper()}_ACT"
    options = encoded(kind, name, actions)
    assert ends_with(kind, IP, options) == ends
    assert ends_with(kind, ARP, options) == ""


def test_a_classifier_that_nobody_knows() -> None:
    """It ends the chain as all do; its actions cannot be read."""
    assert ends_with("tcindex", IP, {}) == "pass"
