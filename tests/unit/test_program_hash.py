"""The hash of what runs: what changes it, what does not, and reading objects against libbpf and pyelftools."""

from __future__ import annotations

import io
import random
from dataclasses import replace

import pytest
from elftools.elf.elffile import ELFFile
from tests.support.artifacts import EXAMPLES

from encap_compile.common.manifest import Counter, Manifest
from encap_compile.compile.btf import map_definitions
from encap_compile.compile.elf import MalformedObjectError, read_elf
from encap_compile.compile.pipeline import compile_spec
from encap_compile.compile.program_hash import program_hash
from encap_compile.compile.toolchain.build import building
from encap_compile.compile.toolchain.clang import find_clang
from encap_compile.run.kernel.objects import BpfObject

NAMES = ("gwlb", "teams", "vxlan-overlay")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Manifest, dict[str, bytes]]]:
    out = tmp_path_factory.mktemp("built")
    made = {name: compile_spec(str(EXAMPLES / f"{name}.yaml"), out, write=False) for name in NAMES}
    return {name: (m.manifest, m.files) for name, m in made.items()}


Built = dict[str, tuple[Manifest, dict[str, bytes]]]


@pytest.mark.parametrize("name", NAMES)
def test_maps_are_those_that_libbpf_finds(built: Built, name: str) -> None:
    data = built[name][1][f"{name}.bpf.o"]
    types = read_elf(data).section(".BTF")
    assert types is not None
    with BpfObject(data, "maps") as opened:
        known = {
            n: (m.type, m.key_size, m.value_size, m.max_entries, m.flags)
            for n, m in opened.maps.items()
            if not m.internal
        }
    found = map_definitions(types.data)
    read = {
        n: (d["type"], d["key"], d["value"], d.get("max_entries", 0), d.get("map_flags", 0)) for n, d in found.items()
    }
    assert read == known and len(known) > 5


@pytest.mark.parametrize("name", NAMES)
def test_sections_are_those_that_pyelftools_finds(built: Built, name: str) -> None:
    data = built[name][1][f"{name}.bpf.o"]
    ours, theirs = read_elf(data), ELFFile(io.BytesIO(data))
    assert [(s.name, s.data) for s in ours.sections] == [
        (s.name, b"" if s["sh_type"] == "SHT_NOBITS" else s.data()) for s in theirs.iter_sections()
    ]
    symbols = list(theirs.get_section_by_name(".symtab").iter_symbols())
    assert [(s.name, s.value) for s in ours.symbols] == [(s.name or "", s["st_value"]) for s in symbols]
    for number, found in ours.relocations.items():
        section = theirs.get_section_by_name(f".rel{ours.sections[number].name}")
        assert [(r.offset, r.symbol.name) for r in found] == [
            (r["r_offset"], symbols[r["r_info_sym"]].name) for r in section.iter_relocations()
        ]


def recompiled(files: dict[str, bytes], name: str, edit: tuple[bytes, bytes]) -> bytes:
    code = {file: content for file, content in files.items() if file.endswith((".c", ".h"))}
    source = code[f"{name}.bpf.c"]
    assert edit[0] in source
    code[f"{name}.bpf.c"] = source.replace(*edit)
    with building(find_clang(""), name, code) as build:
        return build.built()


def test_comments_and_lines_of_the_c_are_not_in_it(built: Built) -> None:
    described, files = built["teams"]
    edit = (b"struct host {", b"/* another\n * comment */\n\n\nstruct host {")
    data = recompiled(files, "teams", edit)
    assert data != files["teams.bpf.o"], "debug information says lines"
    assert program_hash(described, data) == described.program


@pytest.mark.parametrize(
    "edit",
    [
        (b"#define ENCAP_VXLAN__UDP_DESTINATION_PORT 4789", b"#define ENCAP_VXLAN__UDP_DESTINATION_PORT 4790"),
        (b"#define CAPACITY_SITES 100000", b"#define CAPACITY_SITES 100001"),
    ],
    ids=["an instruction", "a map"],
)
def test_what_runs_is_in_it(built: Built, edit: tuple[bytes, bytes]) -> None:
    described, files = built["vxlan-overlay"]
    assert program_hash(described, recompiled(files, "vxlan-overlay", edit)) != described.program


def test_what_the_manifest_says_of_bytes_is_in_it_and_no_text(built: Built) -> None:
    described, files = built["vxlan-overlay"]
    data = files["vxlan-overlay.bpf.o"]
    first, *others = described.counters
    for changed in (
        {"name": "another"},
        {"offset": first.offset + 16},
    ):
        counters: tuple[Counter, ...] = (replace(first, **changed), *others)
        assert program_hash(replace(described, counters=counters), data) != described.program, changed
    members = described.host_members
    other = (replace(members[0], source="another.mtu"), *members[1:])
    assert program_hash(replace(described, host_members=other), data) != described.program
    said = tuple(replace(c, text="other words", place="elsewhere") for c in described.counters)
    rules = tuple(replace(r, text="other words", place="elsewhere") for r in described.rules)
    toolchain = replace(described.toolchain, version="99", source="chosen")
    same = replace(described, counters=said, rules=rules, summary="x", toolchain=toolchain, features={})
    assert program_hash(same, data) == described.program


def test_no_object_is_worse_than_malformed(built: Built) -> None:
    described, files = built["gwlb"]
    data = files["gwlb.bpf.o"]
    pick = random.Random(1)
    for _ in range(300):
        broken = bytearray(data)
        for _ in range(pick.randint(1, 6)):
            # Headers, section headers and type information are where numbers lead elsewhere.
            at = pick.choice([pick.randrange(64), len(broken) - 1 - pick.randrange(3000), pick.randrange(len(broken))])
            broken[at] = pick.randrange(256)
        try:
            program_hash(described, bytes(broken[: pick.choice([len(broken), pick.randrange(len(broken))])]))
        except MalformedObjectError:
            continue
