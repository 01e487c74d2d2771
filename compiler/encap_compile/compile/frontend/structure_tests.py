"""Tests of a spec: nodes to records. What their words mean is found out where they are run."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ...common.documents.nodes import Node
from ..spec_tests import PacketTest, TestPacket, Tests, Way, Word


def build_tests(node: Node | None) -> Tests | None:
    """The tests in the order written; None if there are none."""
    if node is None:
        return None
    host = node.get("host")
    values = {name: tuple(map(_word, item.each())) for name, item in host.items()} if host else {}
    return Tests(MappingProxyType(values), tuple(_test(item) for item in node.value["packets"].value))


def _test(node: Node) -> PacketTest:
    way, expect = next(way for way in Way if way in node.value), node.value["expect"]
    name = node.value["name"]
    packet = _packet(node.value[way])
    after = node.get("after")
    before = tuple(map(_word, after.each())) if after else ()
    sent = _words(expect.get("sent"))
    return PacketTest(name.value, way, packet, _words(expect), sent, before, name.place)


def _packet(node: Node) -> TestPacket:
    encapsulation = node.get("encapsulation")
    outer = _word(encapsulation) if encapsulation else None
    words = {key: word for key, word in _words(node).items() if key != "encapsulation"}
    return TestPacket(MappingProxyType(words), outer, _words(node.get("received")), node.start)


def _words(node: Node | None) -> Mapping[str, Word]:
    """The members that are a word, by their keys."""
    found = {key: _word(item) for key, item in node.items() if item.kind != "object"} if node else {}
    return MappingProxyType(found)


def _word(node: Node) -> Word:
    return Word(node.value, node.place)
