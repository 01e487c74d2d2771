"""Bundles of other releases: what the next one adds is ignored, or named in `requires` and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.netns import loader_bundle

from encap_compile.common import manifest_io
from encap_compile.common.diagnostics import DiagnosedError, Diagnostic, Exit
from encap_compile.common.requirements import FEATURES, required
from encap_compile.run.loader.bundle import open_bundle

Document = dict[str, Any]


def rewritten(directory: Path, change: Callable[[Document], None]) -> Path:
    """A bundle as a later release writes it: with a manifest that is changed, and an identity that fits."""
    bundle = loader_bundle.write(directory)
    path = bundle / "manifest.json"
    document = json.loads(path.read_text())
    change(document)
    code = {"hand.bpf.c": (bundle / "hand.bpf.c").read_bytes()}
    document["identity"] = manifest_io.identity_of_document(document, code)
    path.write_text(json.dumps(document))
    return bundle


def next_minor(document: Document) -> None:
    document["format_version"] = "1.99"
    document["colour"] = {"of": ["the", "wire"]}
    document["rules"][0]["weight"] = 7
    document["counters"][0]["unit"] = "\ud800"
    document["tables"][0]["key"]["members"][0]["endian"] = None


def refused(bundle: Path) -> Diagnostic:
    with pytest.raises(DiagnosedError) as caught:
        open_bundle(bundle)
    assert caught.value.exit_code == Exit.SPEC
    (found,) = caught.value.diagnostics
    return found


def test_unknown_members_are_ignored_and_part_of_the_identity(tmp_path: Path) -> None:
    bundle = rewritten(tmp_path, next_minor)
    opened = open_bundle(bundle)
    assert opened.manifest.format_version == "1.99"
    document = json.loads((bundle / "manifest.json").read_text())
    document["rules"][0]["weight"] = 8
    (bundle / "manifest.json").write_text(json.dumps(document))
    assert refused(bundle).code == "B305"


def test_what_is_required_and_not_known_is_refused_with_the_release_that_has_it(tmp_path: Path) -> None:
    def change(document: Document) -> None:
        next_minor(document)
        document.update(requires=["boot-closed", "teleport"], needs_release="3.1.0")

    found = refused(rewritten(tmp_path, change))
    assert (found.code, found.message) == ("B312", "the bundle requires what this encapctl does not know: teleport")
    assert found.help.startswith("use encapctl 3.1.0 or newer")


@pytest.mark.parametrize("release", [None, 7, "", "\x1b[31m", "1" * 99])
def test_a_release_that_is_none_is_not_repeated(tmp_path: Path, release: object) -> None:
    def change(document: Document) -> None:
        document.update(requires=["teleport"], needs_release=release, inputs={"compiler": release})

    assert refused(rewritten(tmp_path, change)).help.startswith("use a newer encapctl, or build")


def test_another_major_version_is_refused_before_its_members_are_read(tmp_path: Path) -> None:
    def change(document: Document) -> None:
        document.clear()
        document.update(format_version="2.0", bundle={"name": "hand"}, inputs={"compiler": "5.0.1"})

    found = refused(rewritten(tmp_path, change))
    assert found.code == "B303" and found.help.startswith("use encapctl 5.0.1, with whose encap-compile it was built")


@pytest.mark.parametrize("value", ["zz", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n"])
def test_a_hash_that_is_none_is_refused(tmp_path: Path, value: str) -> None:
    """The loader writes it into programs, byte by byte."""
    found = refused(rewritten(tmp_path, lambda document: document.update(program=value)))
    assert (found.code, found.message) == ("B302", "malformed: manifest.program: 64 hexadecimal digits are expected")
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "program": "", "identity": value}))
    found = refused(tmp_path)
    assert (found.code, found.message) == ("B302", "malformed: manifest.identity: 64 hexadecimal digits are expected")


def test_a_changed_file_is_held_against_the_file_that_has_its_hash(tmp_path: Path) -> None:
    bundle = rewritten(tmp_path, lambda document: document["files"].pop("sites.csv"))
    (bundle / "data.sha256").write_text(f"{'0' * 64}  sites.csv\n")
    found = refused(bundle)
    assert found.code == "B305" and found.message.endswith("data.sha256 says 00000000")
    (bundle / "data.sha256").unlink()
    rewritten(bundle, lambda document: document["files"].update({"sites.csv": "0" * 64}))
    assert refused(bundle).message.endswith("the manifest says 00000000")


def test_the_compiler_lists_what_a_bundle_uses_of_what_the_loader_knows() -> None:
    """Each feature is required by an example or a spec of the tests, and by no bundle that does not use it."""
    root = Path(__file__).resolve().parents[2]
    found = {p.parent.name: manifest_io.load(p) for p in root.glob("build/*/manifest.json")}
    assert found["vxlan-overlay"].requires == ()
    assert found["teams"].requires == ("cgroups", "sockets")
    for manifest in found.values():
        assert (manifest.requires, manifest.needs_release) == required(manifest)
        assert set(manifest.requires) <= FEATURES.keys()
    closed = found["teams"].__class__(**{**vars(found["teams"]), "boot": "closed"})
    assert "boot-closed" in required(closed)[0]
