"""The hash of what runs: two bundles of one hash are the same to the kernel and to packets.

It is over instructions and what they refer to, initial data, the definitions of maps and the meaning of their bytes,
and the layout of host values. No comment, text for people, name or version of a tool, or debug information is in it:
where only those differ, nothing is replaced on a machine.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from ..common.manifest import HostMember, Manifest
from ..common.map_meanings import layout_data, map_meanings
from .btf import MAPS, map_definitions
from .elf import ALLOC, EXECINSTR, FUNCTION, GLOBAL, SECTION, ElfObject, Relocation, Section, read_elf


def program_hash(manifest: Manifest, data: bytes) -> str:
    """SHA-256 in hexadecimal. `data` is the object. Raises MalformedObjectError."""
    elf = read_elf(data)
    types = elf.section(".BTF")
    described = {
        "sections": [_section(elf, n, s) for n, s in enumerate(elf.sections) if s.flags & ALLOC and s.name != MAPS],
        "programs": sorted(
            [elf.sections[s.section].name, s.value, s.size, s.name]
            for s in elf.symbols
            if s.type == FUNCTION and s.binding == GLOBAL and elf.sections[s.section].name != ".text"
        ),
        "maps": map_definitions(types.data) if types else {},
        "meanings": map_meanings(manifest),
        "host": [layout_data(manifest.host_layout), [_member(m) for m in manifest.host_members]],
        "hooks": sorted([p.program, p.hook, p.section] for p in manifest.programs),
    }
    return sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _section(elf: ElfObject, number: int, section: Section) -> list[Any]:
    relocations = elf.relocations.get(number, ()) if section.flags & EXECINSTR else ()
    return [section.name, section.size, section.data.hex(), [_reference(elf, r) for r in relocations]]


def _reference(elf: ElfObject, relocation: Relocation) -> list[Any]:
    """What an instruction refers to: a map or a function outside by its name, anything else by where it is."""
    symbol = relocation.symbol
    where = elf.sections[symbol.section].name
    if symbol.type == SECTION or (symbol.section and where != MAPS):
        return [relocation.offset, relocation.type, where, symbol.value]
    return [relocation.offset, relocation.type, where, symbol.name]


def _member(member: HostMember) -> list[Any]:
    return [member.member.name, member.source, member.family]
