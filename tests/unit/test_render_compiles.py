"""The committed C compiles from its own folder by a clang alone, whatever clang, and holds what the manifest says."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from encap_compile.common import manifest_io
from encap_compile.compile.toolchain.clang import FLAGS, OLDEST, find_clang

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(p.stem for p in (ROOT / "examples").glob("*.yaml"))
OPTIONS = {"gwlb": {"options_gwlb__scratch"}}  # where received options are kept: nothing for a loader to fill
CLANGS = ("pinned", f"clang-{OLDEST}", "clang-19")  # and those that Debian packages first and last


def compile_with(clang: str, bundle: Path, *more: str) -> subprocess.CompletedProcess[bytes]:
    """Compile to stdout; no other file and no variable of the environment can help it."""
    command = find_clang().command if clang == "pinned" else (clang,)
    return subprocess.run(
        [*command, *FLAGS, "-nostdinc", *more, "-c", f"{bundle.name}.bpf.c", "-o", "-"],
        cwd=bundle,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp"},
    )


@pytest.mark.parametrize("clang", CLANGS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_any_clang(clang: str, name: str) -> None:
    if clang != "pinned" and shutil.which(clang) is None:
        pytest.skip(f"{clang} is not installed")
    done = compile_with(clang, ROOT / "build" / name)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    assert done.stdout[:4] == b"\x7fELF"


STRICTER = [
    "-Wunused", "-Wunused-macros", "-Wconversion", "-Wno-sign-conversion",
    "-Wno-implicit-int-conversion", "-Wundef", "-Wvla", "-Wmissing-field-initializers", "-Wno-shorten-64-to-32",
]  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_stricter_warnings(name: str) -> None:
    """Nothing is defined that nothing uses: macros of the C itself among them."""
    done = compile_with("pinned", ROOT / "build" / name, *STRICTER)
    words = [w for w in done.stderr.decode().splitlines() if f"{name}.bpf.c" in w and ("error" in w or "warning" in w)]
    assert words == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_function_and_map_is_used(name: str) -> None:
    """Inline functions escape the compiler's own warning. The library's headers may be who uses them."""
    text = (ROOT / "build" / name / f"{name}.bpf.c").read_text()
    functions = re.findall(r"^static __always_inline [\w *]*?(\w+)\(", text, re.MULTILINE)
    assert len(functions) > 2
    structs = re.findall(r"^struct (\w+) \{", text, re.MULTILINE)
    maps = re.findall(r"^DEFINE_MAP\((\w+)", text, re.MULTILINE)
    constants = re.findall(r"^#define (\w+)", text, re.MULTILINE)
    library = "".join(path.read_text() for path in (ROOT / "build" / name).glob("encap_*.h"))
    code = re.sub(r"/\*.*?\*/", "", text + library, flags=re.DOTALL)
    for word in (*functions, *structs, *maps, *constants):
        assert len(re.findall(rf"\b{word}\b", code)) > 1, f"{word} is defined and not used"
    assert len(set(functions)) == len(functions) and len(set(constants)) == len(constants)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_object_is_what_the_manifest_says(name: str) -> None:
    bundle = ROOT / "build" / name
    manifest = manifest_io.load(bundle / "manifest.json")
    elf = ELFFile(io.BytesIO(compile_with("pinned", bundle).stdout))
    assert elf["e_machine"] == "EM_BPF" and elf.little_endian
    sections = {s.name: s for s in elf.iter_sections()}
    symbols = sections[".symtab"]
    assert isinstance(symbols, SymbolTableSection)
    text = elf.get_section_index(".text")  # functions that the programs call
    found = [s for s in symbols.iter_symbols() if s["st_info"]["type"] == "STT_FUNC"]
    functions = [s.name for s in found if s["st_shndx"] != text]
    assert sorted(functions) == sorted(p.program for p in manifest.programs)
    assert {s.section for s in manifest.programs} <= set(sections)
    assert sections["license"].data() == b"Dual BSD/GPL\0"
    assert sections[".rodata.host"].data_size == manifest.host_layout.size
    assert {".BTF", ".BTF.ext", ".maps"} <= set(sections)
    assert not {".data", ".bss", ".comment"} & {n for n, s in sections.items() if s.data_size}
    maps = {s.name for s in symbols.iter_symbols() if s["st_shndx"] == elf.get_section_index(".maps") and s.name}
    expected = {t.map for t in manifest.tables if t.map} | {
        s.map for s in (*manifest.source_sets, *manifest.prefix_sets)
    }
    expected |= OPTIONS.get(name, set())
    expected |= {manifest.own_addresses, manifest.cgroup_map, manifest.sockets} - {""}
    expected |= {"flow_table", "flow_scratch"} if manifest.flows else set()
    expected |= {"own_sockets"} if any(p.hook == "cgroup_create" for p in manifest.programs) else set()
    expected |= {"socket_request", "connects"} if manifest.contract else set()
    # Where all that comes in by a tunnel is answered by it, nothing is remembered for answers that are not.
    expected |= set() if name in ("gue-edge", "gwlb", "tenants-by-cgroup", "vxlan-return") else {"arrivals"}
    # Rules that look at ports need those of a later fragment's first.
    expected |= {"fragments"} if name in ("two-by-row", "vxlan-overlay") else set()
    expected |= {"answered"} if any(c.name == "egress_answered" for c in manifest.counters) else set()
    learns = any(c.name == "ingress_path_learned" for c in manifest.counters)
    expected |= {"path_mtus", "paths_expire"} if learns else set()
    expected |= {"next_hops"} if any(c.name == "egress_next_hop_fallback" for c in manifest.counters) else set()
    assert maps == expected | {"counters", "scratch"}
    strings = sections[".BTF"].data()
    for word in ("counters", "host"):
        assert word.encode() in strings
    for counter in manifest.counters:
        # In a struct of the library, or a member of its own.
        slot, _, reason = counter.name.rpartition("__") if "__" in counter.name else counter.name.partition("_")
        apart = all(f"{name}\0".encode() in strings for name in (slot, reason))
        names = [slot, reason] if apart else [counter.name]
        assert all(f"{name}\0".encode() in strings for name in names), "a debugger reads the names from BTF"
    relocations = sections[".reltc"]
    assert isinstance(relocations, RelocationSection)
    known = maps | {"host"} | {s.name for s in found if s["st_shndx"] == text}
    targets = {symbols.get_symbol(r["r_info_sym"]).name for r in relocations.iter_relocations()}
    assert targets <= known | {""}, "no call leaves the object"
