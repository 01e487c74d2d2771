"""Odd but right specs: they pass with no finding, and mean what they should."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest
from tests.support import cli

from encap_compile.compile.frontend import load_spec
from encap_compile.compile.pipeline import check_spec
from encap_compile.compile.spec import AnySource, Range, Reference, Scalar

CASES = Path(__file__).parents[1] / "cases" / "ok"
# A group of receivers is odd, and right where the receiver takes it.
EXPECTED_WARNINGS = {
    "ethernet-three-times": ["W426"] * 3,
    "fixed-rows": ["W426"],
    "ip-alone-forwarded": ["W514"],
    "words-that-look-like-yaml": ["W426"],
}


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda p: p.stem)
def test_right(path: Path) -> None:
    findings = check_spec(str(path))[3]
    assert [d.code for d in findings.all] == EXPECTED_WARNINGS.get(path.stem, [])


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda p: p.stem)
def test_compiles(path: Path, tmp_path: Path) -> None:
    """Its C is one that the compiler takes, without a warning."""
    folder, said = cli.compile_spec(path, tmp_path / "bundle")
    assert (folder / f"{folder.name}.bpf.o").exists(), said


def test_text_stays_text() -> None:
    spec = load_spec(str(CASES / "words-that-look-like-yaml.yaml"))
    cells = [{name: cell.value for name, cell in row.cells.items()} for row in spec.endpoints["exits"].rows]
    assert cells[0] == {"name": "010", "address": "192.0.2.1", "mac": "11:22:33:44:55:55"}
    assert [c["name"] for c in cells] == ["010", "yes", "2026-08-30", "12:30:45", "1_000"]
    assert [r.name for r in spec.egress.rules] == ["y", "n", "off"]
    assert spec.egress.rules[2].match.dscp == (8, 12, 3)  # cs1, 0o14, 0x3


def test_every_match_word() -> None:
    match = load_spec(str(CASES / "every-match-word.yaml")).egress.rules[0].match
    assert match.mark == (Range(0, 0xFFFFFFFF),)
    assert match.protocol == (6, 17, 132)
    assert match.source_port == (Range(0, 1023), Range(65535, 65535))
    assert match.destination_port == (Range(1024, 2048),)
    assert match.dscp == (46, 0, 56)
    assert match.source is not None and match.source.prefixes == (IPv4Network("10.0.0.0/8"),)


def test_block_style_and_defaults() -> None:
    spec = load_spec(str(CASES / "block-style.yaml"))
    assert spec.name == "block-style" and spec.kernel == (6, 12)
    assert spec.attach == (Reference("host", ("uplinks",)),)
    assert spec.host["vtep"].default == ("uplinks", "address")
    (header,) = spec.encapsulations["six-in-six"].headers
    assert header.values["flow_label"] == Scalar("flow")
    assert header.values["source"] == Reference("host", ("vtep",))
    assert spec.endpoints["sites"].capacity == 16  # two rows, and room for more without another map
    assert isinstance(spec.ingress.rules[0].source, AnySource)
    assert spec.ingress.refuse == "pass" and spec.egress.next_hop == "route"


def test_decapsulate_only_passes_what_leaves() -> None:
    spec = load_spec(str(CASES / "decapsulate-only.yaml"))
    assert spec.egress.rules == () and spec.egress.default == "pass"
    assert spec.kernel == (5, 10)


def test_sets() -> None:
    spec = load_spec(str(CASES / "sets-from-a-file.yaml"))
    clouds = spec.sets["clouds"]
    assert clouds.file == "files/clouds.txt"
    assert clouds.prefixes == (
        IPv4Network("203.0.113.0/24"),
        IPv6Network("2001:db8:c::/48"),
        IPv4Network("198.51.100.7/32"),
    )
    destination = spec.egress.rules[1].match.destination
    assert destination is not None
    assert destination.sets == ("clouds",)
    assert destination.prefixes == (*clouds.prefixes, IPv4Network("198.51.100.0/24"))


def test_rule_text() -> None:
    spec = load_spec(str(CASES / "same-tunnel-twice.yaml"))
    assert [r.text for r in (*spec.egress.rules, *spec.ingress.rules)] == [
        "everything -> sites, no row: next",
        "ipip from old inner tcp 80",
        "ipip from old, mark 1",
        "ipip from new, mark 2",
    ]
