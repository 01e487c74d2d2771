"""`explain` for programs: the same as in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from encap_compile.common.codes import CODES, document
from encap_compile.compile.explain import explain_spec, spec_document
from encap_compile.compile.pipeline import check_spec

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


def test_a_code() -> None:
    found = document("e511")
    assert found.keys() == {"format_version", "code", "title", "text"}
    assert (found["format_version"], found["code"], found["title"]) == (1, "E511", CODES["E511"].title)
    assert found["text"] == CODES["E511"].text.strip()
    with pytest.raises(KeyError):
        document("E300")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_a_spec(example: Path) -> None:
    spec, lowered, _, _ = check_spec(str(example))
    found = spec_document(lowered)
    assert found["text"] == explain_spec(lowered)
    assert [r["name"] for r in found["rules"] if r["direction"] == "egress"] == [
        *(r.name for r in spec.egress.rules),
        "default",
    ]
    for listed in (*found["tables"], *found["counters"]):
        assert listed["text"] in found["text"]
    assert found["name"] == spec.name and found["features"].items() <= lowered.manifest.features.items()


def test_what_the_headers_leave() -> None:
    _, lowered, _, _ = check_spec(str(EXAMPLES[0].parent / "vxlan-overlay.yaml"))
    lines = explain_spec(lowered).splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("MTU, in bytes"))
    assert [line.split() for line in lines[begin + 1 : begin + 3]] == [
        ["vxlan", "over", "ipv4", "50", "1450", "8950", "1330"],
        ["vxlan", "over", "ipv6", "70", "1430", "8930", "1350"],
    ]
    document = spec_document(lowered)["mtu"]
    assert [(m["outer_family"], m["overhead"], m["least_overhead"]) for m in document] == [
        ("ipv4", 50, 50),
        ("ipv6", 70, 70),
    ]
    _, lowered, _, _ = check_spec(str(EXAMPLES[0].parent / "gue-edge.yaml"))
    assert [(m["least_overhead"], m["overhead"]) for m in spec_document(lowered)["mtu"]] == [(32, 156), (52, 176)]
    assert "gue over ipv4" in explain_spec(lowered) and " 32-156 " in explain_spec(lowered)


@pytest.mark.parametrize("word", ["icmp", "drop"])
def test_who_is_told_that_a_packet_is_too_big(tmp_path: Path, word: str) -> None:
    path = tmp_path / "ipip-sites.yaml"
    path.write_text((EXAMPLES[0].parent / path.name).read_text() + f"mtu: {{too_big: {word}}}\n")
    _, lowered, _, _ = check_spec(str(path))
    assert ("the size that fits by ICMP" in explain_spec(lowered)) == (word == "icmp")


def test_what_leaves_by_other_devices(tmp_path: Path) -> None:
    text = (EXAMPLES[0].parent / "teams.yaml").read_text()
    for word, said in (
        ("", "is dropped and counted if its route leaves by a device that is not attached"),
        ("pass", "leaves unencapsulated, whatever"),
    ):
        path = tmp_path / "teams.yaml"
        path.write_text(text.replace("egress:\n", f"egress:\n  unattached: {word}\n") if word else text)
        _, lowered, _, _ = check_spec(str(path))
        assert said in explain_spec(lowered)
    _, lowered, _, _ = check_spec(str(EXAMPLES[0].parent / "ipip-sites.yaml"))
    assert "not attached" not in explain_spec(lowered)
