"""manifest.json is read strictly and written so that the same manifest is the same bytes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.netns import loader_bundle

import encap_compile.common.manifest
from encap_compile.common.diagnostics import DiagnosedError
from encap_compile.common.manifest_io import dump, load, loads

Document = dict[str, Any]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return (loader_bundle.write(tmp_path_factory.mktemp("bundle")) / "manifest.json").read_text()


def test_there_and_back(text: str) -> None:
    assert dump(loads(text, "m")) == text
    assert text.endswith("}\n") and text.startswith('{\n  "format_version": "1.1",\n  "name"')


def _set(*path: str | int, value: object) -> Callable[[Document], None]:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (_set("name", value=7), "B302", "manifest.name: str"),
        (_set("counters_size", value=True), "B302", "manifest.counters_size: int"),
        (_set("tables", 0, "key", "members", 0, "offset", value="0"), "B302", "tables[0].key.members[0].offset"),
        (_set("tables", value={}), "B302", "manifest.tables: a list"),
        (_set("files", value=[]), "B302", "manifest.files: an object"),
        (_set("files", "x", value=None), "B302", "manifest.files.x"),
        (lambda d: d.pop("rules"), "B302", "`rules` is missing"),
        (_set("format_version", value=2), "B303", "format 2.0; this encapctl reads format 1.x"),
        (_set("format_version", value="2.7"), "B303", "format 2.7"),
        (_set("format_version", value="1"), "B302", "a text MAJOR.MINOR"),
        (_set("format_version", value=True), "B302", "a text MAJOR.MINOR"),
        (_set("format_version", value=None), "B302", "a text MAJOR.MINOR"),
        (_set("requires", value=["sockets", "teleport", "wings"]), "B312", "does not know: teleport, wings"),
        (_set("requires", value="teleport"), "B302", "manifest.requires: a list"),
    ],
)
def test_malformed(text: str, change: Callable[[Document], None], code: str, words: str) -> None:
    document = json.loads(text)
    change(document)
    with pytest.raises(DiagnosedError) as caught:
        loads(json.dumps(document), "m")
    (found,) = caught.value.diagnostics
    assert found.code == code and words in found.message


@pytest.mark.parametrize("bad", ["", "[]", "7", "{", '{"name": 1, "name": 2}', "[" * 100_000])
def test_not_a_manifest(bad: str) -> None:
    with pytest.raises(DiagnosedError) as caught:
        loads(bad, "m")
    assert caught.value.diagnostics[0].code == "B302"


def test_unreadable(tmp_path: Path) -> None:
    for content in (None, b"\xff\xfe"):
        path = tmp_path / "manifest.json"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DiagnosedError) as caught:
            load(path)
        assert caught.value.diagnostics[0].code == "B301"


FIRST_RELEASE = """
Manifest format_version name summary identity kernel features next_hop host attach host_layout host_members tables
source_sets prefix_sets own_addresses counters_size counters stacks rules programs max_overhead toolchain inputs files
flows cgroup cgroups cgroup_map contract replies sockets
RuleSummary name direction text place destinations table row digest
Table name map kind capacity columns fields encapsulations family_field stacks key value file needs
Stack id name encapsulation outer_family overhead
Counter name offset kind text place
HostMember member source family required_for own
Cgroup path bit hooks place
"""


@pytest.mark.parametrize("name", [word for word in FIRST_RELEASE.split() if word[0].isupper()])
def test_what_the_first_release_wrote_keeps_its_identity(name: str) -> None:
    """A member that it did not know must not be written as long as it says nothing: the identity is a hash of it."""
    words = FIRST_RELEASE.split()
    at = words.index(name)
    known = set()
    for word in words[at + 1 :]:
        if word[0].isupper():
            break
        known.add(word)
    members = dataclasses.fields(getattr(encap_compile.common.manifest, name))
    assert known <= {m.name for m in members}
    assert [m.name for m in members if m.name not in known and "later" not in m.metadata] == []
