"""Headers as RFCs draw them."""

from __future__ import annotations

from typing import Any

import pytest

from encap_compile.compile.headers.catalogue import headers
from encap_compile.compile.headers.diagram import diagram
from encap_compile.compile.headers.model import Constant, Field, Header, Word

IPV4 = """\
 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|version|  ihl  |    dscp   |ecn|          total_length         |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|         identification        |R|D|M|     fragment_offset     |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|      ttl      |    protocol   |            checksum           |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                             source                            |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                          destination                          |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

R: reserved
D: df
M: mf
"""
ETHERNET = """\
 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                          destination                          |
+                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                               |                               |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
|                             source                            |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|              type             |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""


def test_the_pictures() -> None:
    assert diagram(headers()["ipv4"]) == IPV4
    assert diagram(headers()["ethernet"]) == ETHERNET


@pytest.mark.parametrize("header", headers().values(), ids=lambda h: h.name)
def test_every_header(header: Any) -> None:
    text = diagram(header)
    picture, _, legend = text.partition("\n\n")
    lines = picture.splitlines()
    rows = (sum(w.bits for w in header.words) + 31) // 32 + bool(header.variable)
    assert len(lines) == 2 + 1 + 2 * rows
    assert all(len(line) <= 65 and line == line.rstrip() for line in lines)
    edges = ("||", "++", "~~") if header.variable else ("||", "++")
    assert all(line[0] + line[-1] in edges for line in lines[2:])
    for field in header.everything():
        assert field.name in picture or f": {field.name}" in legend, field.name


def test_one_letter_for_one_name() -> None:
    """Names that begin alike get other letters, and digits when letters run out."""
    flags = tuple(Field(f"f{i}", 1, Constant(0), "a flag") for i in range(8))
    legend = diagram(Header("h", "H", "none", (Word("flags", flags),))).partition("\n\n")[2].splitlines()
    assert len({line[0] for line in legend}) == 8
