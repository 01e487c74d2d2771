"""`--check`: what is stale, why, and that it writes nothing."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from encap_compile.compile.cli import cli

ROOT = Path(__file__).resolve().parents[2]
SPEC = "vxlan-overlay.yaml"
C = "vxlan-overlay.bpf.c"


def run(folder: Path, *words: str) -> Result:
    """The command in this process: a start of Python for each would be most of the time."""
    with contextlib.chdir(folder):
        return CliRunner().invoke(cli, list(words), prog_name="encap-compile")


def check(folder: Path, *words: str) -> tuple[int, dict[str, str]]:
    """The exit code, and why each file is stale."""
    before = contents(folder)
    done = run(folder, "--check", "--format", "json", *(words or (SPEC,)))
    assert contents(folder) == before, "--check writes nothing"
    stale = [s for b in json.loads(done.stdout)["bundles"] for s in b["stale"]]
    return done.exit_code, {Path(s["file"]).name: s["why"] for s in stale}


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("once")
    for path in (ROOT / "examples").glob("vxlan-overlay*"):
        (folder / path.name).write_bytes(path.read_bytes())
    done = run(folder, SPEC)
    assert done.exit_code == 0, done.stderr
    return folder


@pytest.fixture
def compiled(once: Path, tmp_path: Path) -> Path:
    """A folder with the spec and the bundle that it compiles to."""
    import shutil

    shutil.copytree(once, tmp_path / "work", copy_function=shutil.copy2)
    return tmp_path / "work"


def bundle(folder: Path, name: str) -> Path:
    return folder / "build" / "vxlan-overlay" / name


def test_up_to_date(compiled: Path) -> None:
    assert check(compiled) == (0, {})
    assert "is what the compiler writes" in run(compiled, "--check", SPEC).stdout


@pytest.mark.parametrize("name", ["vxlan-overlay.bpf.o", "data.sha256"])
def test_what_is_built_and_not_there_is_not_stale(compiled: Path, name: str) -> None:
    bundle(compiled, name).unlink()
    assert check(compiled) == (0, {})


@pytest.mark.parametrize("name", [C, "encap_bpf.h", "vxlan-overlay.bpf.o", "sites.csv"])
def test_edited_by_hand(compiled: Path, name: str) -> None:
    path = bundle(compiled, name)
    path.write_bytes(path.read_bytes() + b"/* mine */\n")
    code, why = check(compiled)
    assert code == 3 and list(why) == [name]
    assert "edited by hand, or damaged" in why[name]
    text = run(compiled, "--check", SPEC)
    assert text.exit_code == 3 and "encap-compile" in text.stdout.splitlines()[-1]
    assert ("-/* mine */" in text.stdout) == (not name.endswith(".o"))


def test_a_manifest_edited_by_hand(compiled: Path) -> None:
    path = bundle(compiled, "manifest.json")
    path.write_text(path.read_text().replace('"kernel": "5.10"', '"kernel": "5.4"'))
    code, why = check(compiled)
    assert code == 3 and list(why) == ["manifest.json"]


def test_hashes_that_were_edited_too(compiled: Path) -> None:
    """Whoever edits the C can write its hash into the manifest."""
    import hashlib

    path = bundle(compiled, C)
    before = path.read_text()
    path.write_text(before.replace("ENCAP_VXLAN__IP_TTL 64", "ENCAP_VXLAN__IP_TTL 65"))
    assert path.read_text() != before
    manifest = bundle(compiled, "manifest.json")
    document = json.loads(manifest.read_text())
    document["files"][C] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    code, why = check(compiled)
    assert code == 3 and set(why) == {C, "manifest.json"}
    assert run(compiled, SPEC).exit_code == 0
    assert "TTL 64" in path.read_text()


@pytest.mark.parametrize("name", [C, "encap_ecn.h", "manifest.json", "sites.csv"])
def test_missing(compiled: Path, name: str) -> None:
    bundle(compiled, name).unlink()
    code, why = check(compiled)
    assert code == 3 and name in why
    assert why[name] == "it is not there"


def test_never_compiled(compiled: Path) -> None:
    code, why = check(compiled, SPEC, "-o", "elsewhere")
    assert code == 3 and {C, "manifest.json"} <= set(why) and set(why.values()) == {"it is not there"}
    assert not (compiled / "elsewhere").exists()


def test_a_changed_spec(compiled: Path) -> None:
    spec = compiled / SPEC
    spec.write_text(spec.read_text().replace("4789", "8472"))
    code, why = check(compiled)
    assert code == 3 and {C, "manifest.json"} <= set(why)
    assert why[C] == "the spec vxlan-overlay.yaml changed"
    text = run(compiled, "--check", SPEC).stdout
    assert "+#define ENCAP_VXLAN__UDP_DESTINATION_PORT 8472" in text
    assert run(compiled, SPEC).exit_code == 0
    assert check(compiled) == (0, {})


def test_a_comment_in_the_spec(compiled: Path) -> None:
    spec = compiled / SPEC
    spec.write_text("# nothing\n\n" + spec.read_text())
    assert check(compiled) == (0, {})
    text = run(compiled, SPEC).stdout
    assert "unchanged" in text and "vxlan-overlay.yaml:35" in text, "lines are those of the spec as it is"


def test_changed_rows(compiled: Path) -> None:
    rows = compiled / "vxlan-overlay-sites.csv"
    rows.write_text(rows.read_text() + "new,10.77.0.0/16,192.0.2.77,02:00:00:00:10:77,42\n")
    code, why = check(compiled)
    assert code == 3
    changed = f"the spec {SPEC} or a file that it names changed"
    assert why == dict.fromkeys(("sites.csv", "data.sha256"), changed), "and nothing that is reviewed beside them"


@pytest.mark.parametrize(
    ("member", "other", "words"),
    [
        ("compiler", "0.0.9", "encap-compile 0.0.9 wrote it"),
        ("compiler_sha256", "00", "another build of encap-compile"),
    ],
)
def test_another_compiler(compiled: Path, member: str, other: str, words: str) -> None:
    path = bundle(compiled, "manifest.json")
    manifest = json.loads(path.read_text())
    manifest["inputs"][member] = other
    path.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    code, why = check(compiled)
    assert code == 3 and list(why) == ["manifest.json"] and words in why["manifest.json"]


def test_a_file_of_an_older_bundle(compiled: Path) -> None:
    """A table that is gone leaves no file behind that the manifest no longer speaks of."""
    spec = compiled / SPEC
    text = spec.read_text()
    table = text[text.index("  vnis: ") : text.index("egress:")]
    spec.write_text(
        text.replace(table, "").replace(", lookup: vnis, set_mark: endpoint.mark", "").replace("endpoint.vni", "42")
    )
    code, why = check(compiled)
    assert code == 3 and why.get("vnis.csv") == "no longer part of the bundle", (why, run(compiled, SPEC).stderr)
    assert run(compiled, SPEC).exit_code == 0
    assert not bundle(compiled, "vnis.csv").exists()


def test_a_wrong_spec_outranks_drift(compiled: Path) -> None:
    (compiled / "wrong.yaml").write_text("name: [")
    done = run(compiled, "--check", SPEC, "wrong.yaml")
    assert done.exit_code == 1
