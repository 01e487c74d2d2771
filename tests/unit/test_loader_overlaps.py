"""Overlaps of bundles that no test of the kernel shows: connect rules, and packets that pass the hook twice."""

from __future__ import annotations

from dataclasses import replace

from tests.netns.loader_bundle import _manifest

from encap_compile.common.manifest import RuleSummary
from encap_compile.run.loader.beside import Beside
from encap_compile.run.loader.overlaps import Pair, _chosen, _outer

WEB = RuleSummary("web", "egress", "t1", "s:1", ("10.1.0.0/16",), "sites", action="encapsulate", on_miss="drop")
PASS = RuleSummary("default", "egress", "pass", "s:9", action="pass")
DROP = RuleSummary("default", "egress", "drop", "s:9", action="drop")


def beside(name: str, *rules: RuleSummary, next_hop: str = "keep") -> Beside:
    manifest = _manifest(name, ("web",), False, 16, "5.10", False, False)
    signatures = {"ipip_ipv4": "ipv4 4,41"}
    manifest = replace(manifest, rules=rules, signatures=signatures, next_hop=next_hop, own_addresses="")
    row = bytes([10, 1, 0, 1]), bytes([192, 0, 2, 2, 1, 0, 0, 0])
    return Beside(name, manifest, "/all", {7: "eth0"}, {7: frozenset({"192.0.2.1"})}, {"sites": [row]})


def connects(name: str, action: str = "choose", cgroup: str = "a.slice", port: str = "443") -> Beside:
    match = {"cgroup": (cgroup,), "destination_port": (port,)}
    return beside(name, RuleSummary("c", "connect", "t", "s:3", action=action, match=match))


def test_connect_rules_that_choose_for_the_same_sockets() -> None:
    assert [f.code for f in _chosen(connects("one"), connects("two"))] == ["H145"]
    assert [f.code for f in _chosen(connects("one"), connects("two", cgroup="a.slice/b"))] == ["H145"]
    for apart in (connects("two", action="pass"), connects("two", cgroup="b.slice"), connects("two", port="80")):
        assert list(_chosen(connects("one"), apart)) == []


def test_what_is_redirected_passes_the_first_one_again() -> None:
    first, kept, routed = beside("a", DROP), beside("b", WEB, PASS), beside("b", WEB, PASS, next_hop="route")
    assert list(_outer(Pair(first, kept, ((7, 7),)))) == []
    found = list(_outer(Pair(first, routed, ((7, 7),))))
    assert [(f.code, f.whole) for f in found] == [("H143", True)]
    assert "IP protocol 4 or 41 over IPv4" in found[0].words and "dropped by rule default (s:9) of a" in found[0].words


def test_an_outer_packet_that_is_encapsulated_once_more() -> None:
    again = replace(WEB, name="wide", destinations=("192.0.2.0/24",), place="s:5")
    found = list(_outer(Pair(beside("a", WEB, PASS), beside("b", again, PASS), ((7, 7),))))
    assert [(f.code, f.whole) for f in found] == [("H143", True)]
    assert "encapsulated once more by rule wide (s:5) of b" in found[0].words
    tcp = replace(again, match={"protocol": ("6",)})  # the outer packet is IP in IP
    assert list(_outer(Pair(beside("a", WEB, PASS), beside("b", tcp, PASS), ((7, 7),)))) == []
