"""Places that follow from what stands before are not in a manifest, and are there for the loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from encap_compile.common import manifest_io
from encap_compile.common.manifest import Manifest
from encap_compile.common.manifest_places import with_places, without_places

ROOT = Path(__file__).resolve().parents[2]
BUNDLES = sorted(ROOT.glob("build/*/manifest.json"))
FIRST = ROOT / "tests" / "fixtures" / "releases" / "0.1.0-981676a" / "skew" / "manifest.json"


def numbers(document: Any, word: str) -> list[object]:
    if isinstance(document, dict):
        found = [document[word]] if word in document else []
        return found + [n for part in document.values() for n in numbers(part, word)]
    return [n for part in document for n in numbers(part, word)] if isinstance(document, list) else []


@pytest.mark.parametrize("path", BUNDLES, ids=lambda p: p.parent.name)
def test_every_place_is_found_again(path: Path) -> None:
    document = json.loads(path.read_text())
    whole = with_places(document)
    assert without_places(whole) == document
    assert manifest_io.dump(manifest_io.load(path)) == path.read_text()
    assert not [offset for offset in numbers(document, "offset") if isinstance(offset, int)]
    at = 0
    for member in whole["host_layout"]["members"]:
        assert member["offset"] == at
        at += member["size"]
    assert whole["host_layout"]["size"] == at
    offsets = [counter["offset"] for counter in whole["counters"]]
    assert len(set(offsets)) == len(offsets) and all(offset % 16 == 0 for offset in offsets)
    assert offsets[0] == 0 and max(offsets) < whole["counters_size"]


def test_a_manifest_with_all_places_says_the_same() -> None:
    path = BUNDLES[0]
    whole = with_places(json.loads(path.read_text()))
    assert numbers(whole, "offset") and all(isinstance(offset, int) for offset in numbers(whole, "offset"))
    assert manifest_io.loads(json.dumps(whole), "manifest.json") == manifest_io.load(path)


def test_places_that_do_not_follow_are_written() -> None:
    """As a compiler that lays counters out in another way would."""
    whole = with_places(json.loads(BUNDLES[0].read_text()))
    first, second, *_ = whole["counters"]
    first["offset"], second["offset"] = second["offset"], first["offset"]
    assert with_places(without_places(whole)) == whole


def test_a_manifest_of_the_first_release_is_written_as_it_was() -> None:
    manifest = manifest_io.load(FIRST)
    written = json.loads(manifest_io.dump(manifest))
    before = json.loads(FIRST.read_text())
    assert numbers(written, "offset") == numbers(before, "offset") != []
    assert isinstance(manifest, Manifest) and manifest.counters_size == before["counters_size"]


@pytest.mark.parametrize(
    "place", ["egress", "egress+", "egress+-16", "nowhere+0", "egress+9" * 9, "egress+" + "9" * 99]
)
def test_a_place_that_is_none_is_refused(place: str) -> None:
    document = json.loads(BUNDLES[0].read_text())
    document["counters"][0]["offset"] = place
    with pytest.raises(manifest_io.DiagnosedError) as caught:
        manifest_io.loads(json.dumps(document), "manifest.json")
    assert caught.value.diagnostics[0].code == "B302" and "counters[0].offset" in caught.value.diagnostics[0].message
