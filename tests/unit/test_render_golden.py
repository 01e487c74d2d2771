"""The C of the examples is what is committed, and a small change of a spec is a small change of the C."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import pytest

from encap_compile.compile import pipeline
from encap_compile.compile.render.templates import TEMPLATES
from encap_compile.compile.toolchain.clang_format import format_c

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(p.stem for p in (ROOT / "examples").glob("*.yaml"))


def rendered(spec: Path) -> dict[str, str]:
    _, lowered, _, _ = pipeline.check_spec(str(spec))
    return {name: data.decode() for name, data in pipeline.render_code(lowered).items()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_committed(name: str) -> None:
    for file, text in rendered(ROOT / "examples" / f"{name}.yaml").items():
        assert text == (ROOT / "build" / name / file).read_text(), f"run `encap-compile examples/{name}.yaml`"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_committed_c_is_formatted(name: str) -> None:
    for path in (ROOT / "build" / name).glob("*.[ch]"):
        assert format_c(path.read_text(), TEMPLATES / "clang-format.yaml") == path.read_text(), path


def changed_lines(tmp_path: Path, example: str, before: str, after: str) -> list[str]:
    """The lines of the C that are new when a value in the spec is another."""
    made = []
    for text in (before, after):
        folder = tmp_path / text.replace("/", "_").replace(" ", "_")[:40].strip(".")
        folder.mkdir()
        for file in (ROOT / "examples").glob(f"{example}*"):
            content = file.read_text()
            if file.suffix == ".yaml":
                assert before in content
                content = content.replace(before, text, 1)
            (folder / file.name).write_text(content)
        made.append(rendered(folder / f"{example}.yaml")[f"{example}.bpf.c"].splitlines())
    diff = list(unified_diff(*made, n=0, lineterm=""))[2:]
    added = [line[1:].strip() for line in diff if line.startswith("+")]
    assert len(added) == sum(line.startswith("-") for line in diff), "lines are changed, none comes or goes"
    return added


# (example, value, other value, how many lines of C may change, and what they hold)
CHANGES = [
    ("vxlan-overlay", "destination_port: 4789", "destination_port: 8472", 1, "UDP_DESTINATION_PORT 8472"),
    ("vxlan-overlay", "capacity: 4096", "capacity: 8192", 1, "CAPACITY_VNIS 8192"),
    ("vxlan-overlay", "443, 8000-8999", "444, 8000-8999", 1, "444"),
    ("vxlan-overlay", "destination: 10.99.0.0/16", "destination: 10.98.0.0/16", 1, "IPV4(10, 98, 0, 0), 16"),
    ("gre-tenants", "0x1000-0x1fff", "0x1000-0x2fff", 1, "0x2fff"),
    ("ipip-sites", "ttl: 64", "ttl: 63", 1, "ENCAP_IPIP__IP_TTL 63"),
    ("two-by-row", "dscp: ef", "dscp: af41", 1, "34"),
    ("two-by-row", "10.9.0.0/16", "10.8.0.0/16", 1, "IPV4(10, 8, 0, 0), 16"),
    # Asked by egress and by the hook for what leaves by other devices.
    ("teams", "10.255.0.0/16", "10.254.0.0/16", 1, "SET_MANAGEMENT IPV4(10, 254, 0, 0), 16"),
]


@pytest.mark.parametrize(("example", "before", "after", "most", "holds"), CHANGES, ids=[c[2] for c in CHANGES])
def test_one_value_is_one_change(tmp_path: Path, example: str, before: str, after: str, most: int, holds: str) -> None:
    added = changed_lines(tmp_path, example, before, after)
    assert 1 <= len(added) <= most, added
    assert any(holds in line for line in added), added


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_c_reads_well(name: str) -> None:
    text = (ROOT / "build" / name / f"{name}.bpf.c").read_text()
    lines = text.splitlines()
    assert lines[0].startswith("// SPDX-License-Identifier:")
    assert f"{name}.yaml" in "\n".join(lines[:9]) and "Do not edit" in "\n".join(lines[:9])
    assert "#if" not in text
    assert not any(line != line.rstrip() for line in lines)
    assert "\n\n\n" not in text
