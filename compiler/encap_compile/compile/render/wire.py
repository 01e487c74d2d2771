"""`encap_wire.h`: every header of the catalogue as a C struct, so that a protocol stays one file.

The committed header is what people read and `./dev regen` writes; a bundle gets the same text from the catalogue.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from ..headers import catalogue
from ..headers.model import FromSpec, Header, InternetChecksum, Word
from ..lower.stacks import struct_name
from .line_length import wrap_comments

NAME = "encap_wire.h"
_TOP = """\
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Headers on the wire, in network byte order. Written by `./dev regen` from the descriptions in
 * compiler/encap_compile/compile/headers/protocols/.
 */
#pragma once

#include "encap_address.h"
#include "encap_bpf.h"
"""
_ADDRESSES = {"ipv6": "struct ipv6_address", "mac": "struct mac_address"}
_INTEGERS = {8: "__u8", 16: "__be16", 32: "__be32"}


def wire_header() -> str:
    """The text of the header."""
    structs = (text for header in catalogue.headers().values() for text in _structs(header))
    return wrap_comments("\n".join([_TOP, *structs]))


def _structs(header: Header) -> Iterator[str]:
    """One for each choice of a header's optional words."""
    optional = [word.optional_field for word in header.words if word.optional_field]
    for count in range(len(optional) + 1):
        for present in combinations(optional, count):
            words = tuple(w for w in header.words if not w.optional_field or w.optional_field in present)
            yield _struct(header, words)


def _struct(header: Header, words: tuple[Word, ...]) -> str:
    members = "".join(f"\t{_type(word)} {word.name};{_fields(word)}\n" for word in words)
    return f"/* {header.title}: {header.reference} */\nstruct {struct_name(header, words)} {{\n{members}}};\n"


def _type(word: Word) -> str:
    role = word.fields[0].role
    if isinstance(role, FromSpec) and role.type in _ADDRESSES:
        return _ADDRESSES[role.type]
    if word.bits == 16 and any(isinstance(f.role, InternetChecksum) for f in word.fields):
        return "__sum16"
    return _INTEGERS[word.bits]


def _fields(word: Word) -> str:
    if len(word.fields) == 1:
        return ""
    return f" /* {', '.join(f'{field.name} {field.bits}' for field in word.fields)} */"


if __name__ == "__main__":
    found = Path(sys.argv[1])
    if found.read_text(encoding="utf-8") != wire_header():
        found.write_text(wire_header(), encoding="utf-8")
