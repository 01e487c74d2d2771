"""`encap-compile` as a command: exit codes, several specs, broken toolchains, folders that refuse, runs that meet."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from encap_compile import __version__
from encap_compile.cli import cli
from encap_compile.common.data_hashes import DATA_HASHES, read_data_hashes
from encap_compile.common.diagnostics import DiagnosedError
from encap_compile.compile.artifacts import write

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "encap_compile.cli"]
IPIP = "ipip-sites"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    shutil.copytree(ROOT / "examples", folder)
    return folder


def run(folder: Path, *words: str, **environment: str) -> Result:
    with contextlib.chdir(folder):
        return CliRunner(env=environment).invoke(cli, list(words), prog_name="encap-compile")


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], cwd=folder, capture_output=True, text=True, check=False)


def bundles(folder: Path) -> list[str]:
    return sorted(p.name for p in (folder / "build").iterdir()) if (folder / "build").exists() else []


def test_several_specs(work: Path) -> None:
    done = run(work, "ipip-sites.yaml", "gre-tenants.yaml", "-o", "out")
    assert done.exit_code == 0 and done.stderr == ""
    assert sorted(p.name for p in (work / "out").iterdir()) == ["gre-tenants", "ipip-sites"]
    again = run(work, "ipip-sites.yaml", "gre-tenants.yaml", "-o", "out")
    assert again.exit_code == 0 and "unchanged" in again.stdout


def test_one_wrong_spec_does_not_stop_the_others(work: Path) -> None:
    (work / "wrong.yaml").write_text((work / f"{IPIP}.yaml").read_text().replace("to: sites", "to: nowhere"))
    done = run(work, "wrong.yaml", f"{IPIP}.yaml", "gre-tenants.yaml")
    assert done.exit_code == 1
    assert bundles(work) == ["gre-tenants", IPIP]
    assert "wrong.yaml:" in done.stderr and "nowhere" in done.stderr
    assert "wrong.yaml" not in done.stdout


def test_two_specs_of_one_name(work: Path) -> None:
    (work / "other.yaml").write_text((work / f"{IPIP}.yaml").read_text() + "# another\n")
    done = run(work, f"{IPIP}.yaml", "other.yaml")
    assert done.exit_code == 1 and "T109" in done.stderr
    manifest = json.loads((work / "build" / IPIP / "manifest.json").read_text())
    assert manifest["inputs"]["spec"] == f"{IPIP}.yaml", "the second did not replace the first"


@pytest.mark.parametrize("words", [["no-such.yaml"], ["--check", "no-such.yaml"], ["check", "no-such.yaml"]])
def test_a_spec_that_is_not_there(work: Path, words: list[str]) -> None:
    done = run(work, *words)
    assert done.exit_code == 1 and "no-such.yaml" in done.stderr and done.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ["--no-such-option"],
        ["check"],
        [f"{IPIP}.yaml", "--format", "xml"],
        ["test"],
        ["explain", "E999"],
        ["init", f"{IPIP}.yaml"],
    ],
    ids=" ".join,
)
def test_usage(work: Path, words: list[str]) -> None:
    done = run(work, *words)
    assert done.exit_code == 2 and "Error:" in done.stderr
    assert bundles(work) == []


def test_version_and_help(work: Path) -> None:
    assert __version__ in run(work, "--version").stdout
    for verb in ("compile", "check", "render", "explain", "schema", "init", "doctor"):
        done = run(work, verb, "--help")
        assert done.exit_code == 0 and len(done.stdout.splitlines()) > 4
        assert verb in run(work, "--help").stdout


def test_json(work: Path) -> None:
    done = run(work, f"{IPIP}.yaml", "--format", "json")
    document = json.loads(done.stdout)
    assert done.exit_code == 0 and document["format_version"] and document["diagnostics"] == []
    (bundle,) = document["bundles"]
    assert bundle["name"] == IPIP and f"{IPIP}.bpf.c" in bundle["changed"]


def test_init_makes_a_spec_that_compiles(work: Path) -> None:
    assert run(work, "init", "first.yaml").exit_code == 0
    assert run(work, "check", "first.yaml").exit_code == 0


# ---- folders -------------------------------------------------------------------------------------------------------


def test_a_folder_that_is_a_file(work: Path) -> None:
    (work / "build").write_text("not a folder")
    done = run(work, f"{IPIP}.yaml")
    assert done.exit_code == 4 and "T107" in done.stderr and "-o" in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.kernel
def test_a_folder_that_may_not_be_written(work: Path) -> None:
    """Root may write everywhere, so this is another user, or a file system that nobody writes."""
    done = run(work, f"{IPIP}.yaml", "-o", "/proc/encap")
    assert done.exit_code == 4 and "T107" in done.stderr and "Traceback" not in done.output


def test_a_bundle_file_that_is_a_folder(work: Path) -> None:
    (work / "build" / IPIP / f"{IPIP}.bpf.c").mkdir(parents=True)
    done = run(work, f"{IPIP}.yaml")
    assert done.exit_code == 4 and "T107" in done.stderr
    assert not list((work / "build" / IPIP).glob(".*")), "no temporary file is left"


def test_files_of_others_stay(work: Path) -> None:
    mine = work / "build" / IPIP / "notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert run(work, f"{IPIP}.yaml").exit_code == 0
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("hashes", ["", "half of a li"])
def test_hashes_of_data_that_is_no_more_go(tmp_path: Path, hashes: str) -> None:
    """Also where they are malformed: such a bundle could be built again and again, and never be applied."""
    source = Path(__file__).resolve().parents[2] / "build" / "vxlan-overlay"
    manifest = (source / "manifest.json").read_bytes()
    files = {**dict.fromkeys(json.loads(manifest)["files"], b"code"), "manifest.json": manifest}
    write(tmp_path, files)
    (tmp_path / DATA_HASHES).write_text(hashes)
    assert [c.file for c in write(tmp_path, files)] == [DATA_HASHES]
    assert not (tmp_path / DATA_HASHES).exists()
    assert write(tmp_path, files) == []


def test_only_what_changed_is_written(work: Path) -> None:
    run(work, f"{IPIP}.yaml")
    bundle = work / "build" / IPIP
    before = {p.name: p.stat().st_mtime_ns for p in bundle.iterdir()}
    spec = work / f"{IPIP}.yaml"
    spec.write_text(spec.read_text().replace("ttl: 64", "ttl: 65"))
    run(work, f"{IPIP}.yaml")
    changed = {p.name for p in bundle.iterdir() if p.stat().st_mtime_ns != before[p.name]}
    assert changed == {f"{IPIP}.bpf.c", f"{IPIP}.bpf.o", "manifest.json"}


# ---- clang ---------------------------------------------------------------------------------------------------------


def fake(folder: Path, text: str, mode: int = 0o755) -> str:
    path = folder / "fake-clang"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return str(path)


CLANGS = [
    ("is not there", None, "T102"),
    ("may not be run", ("exit 0", 0o644), "T102"),
    ("is no clang", ("echo gcc version 12", 0o755), "T103"),
    ("fails", ("exit 1", 0o755), "T103"),
    ("is too old", ("echo 'Debian clang version 11.0.1-2'", 0o755), "T104"),
    (
        "refuses the code",
        ('case "$*" in *--version*) echo clang version 19.1.7;; *) echo no >&2; exit 1;; esac', 0o755),
        "T105",
    ),
]


@pytest.mark.parametrize(("name", "script", "code"), CLANGS, ids=[c[0] for c in CLANGS])
@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_clang_that(work: Path, name: str, script: tuple[str, int] | None, code: str, how: str) -> None:
    clang = fake(work, *script) if script else str(work / "no-clang")
    words = ["--clang", clang] if how == "option" else []
    done = run(work, f"{IPIP}.yaml", *words, **({"ENCAP_CLANG": clang} if how == "environment" else {}))
    assert done.exit_code == 4 and code in done.stderr and clang in done.stderr, done.output
    assert "help" in done.stderr and "Traceback" not in done.output
    assert bundles(work) == []


def test_a_clang_that_hangs_on_stdin_is_given_none(work: Path) -> None:
    done = run(work, f"{IPIP}.yaml", "--clang", fake(work, "cat; exit 1"))
    assert done.exit_code == 4


def test_the_option_outranks_the_environment(work: Path) -> None:
    old = fake(work, "echo clang version 11.0.0")
    done = run(work, f"{IPIP}.yaml", "--clang", str(work / "no-clang"), ENCAP_CLANG=old)
    assert "T102" in done.stderr


def test_doctor(work: Path) -> None:
    assert run(work, "doctor").exit_code == 0
    assert run(work, "doctor", "--clang", fake(work, "exit 1")).exit_code == 4


# ---- at the same time, and killed ----------------------------------------------------------------------------------


def whole(bundle: Path) -> None:
    """Every file is what the manifest says, and nothing else lies about."""
    from hashlib import sha256

    manifest = json.loads((bundle / "manifest.json").read_text())
    hashed = manifest["files"] | read_data_hashes(bundle)
    for name, digest in hashed.items():
        assert sha256((bundle / name).read_bytes()).hexdigest() == digest, name
    assert {p.name for p in bundle.iterdir()} == {*hashed, "manifest.json", DATA_HASHES}


def test_two_at_once(work: Path) -> None:
    runs = [subprocess.Popen([*COMMAND, f"{IPIP}.yaml"], cwd=work, stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [r.wait() for r in runs] == [0, 0, 0]
    whole(work / "build" / IPIP)


def test_killed_at_any_time(work: Path) -> None:
    """Whatever is there is a whole file; the next run makes a whole bundle."""
    bundle = work / "build" / IPIP
    run(work, f"{IPIP}.yaml")
    spec = work / f"{IPIP}.yaml"
    texts = [spec.read_text(), spec.read_text().replace("ttl: 64", "ttl: 65")]
    known = {}
    for text in texts:
        spec.write_text(text)
        run(work, f"{IPIP}.yaml")
        for path in bundle.iterdir():
            known.setdefault(path.name, set()).add(path.read_bytes())
    for i in range(6):
        spec.write_text(texts[i % 2])
        process = subprocess.Popen(
            [*COMMAND, f"{IPIP}.yaml"], cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(0.15 + 0.06 * i)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path in bundle.iterdir():
            assert path.name.startswith(".") or path.read_bytes() in known[path.name], path
    assert run(work, f"{IPIP}.yaml").exit_code == 0
    for leftover in bundle.glob(".*"):
        leftover.unlink()
    whole(bundle)


def test_writing_stops_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full at the second file: the first is whole, the second is the old one, the manifest untouched."""
    write(tmp_path / "b", {"a": b"1", "b": b"1", "manifest.json": b"{}"})
    real = os.replace
    done: list[str] = []

    def full(source: os.PathLike[str], target: os.PathLike[str]) -> None:
        if done:
            raise OSError(28, "No space left on device", str(target))
        done.append(str(target))
        real(source, target)

    monkeypatch.setattr("os.replace", full)
    monkeypatch.setattr(Path, "replace", lambda self, target: full(self, target))
    with pytest.raises(DiagnosedError) as caught:
        write(tmp_path / "b", {"a": b"2", "b": b"2", "manifest.json": b"[]"})
    assert caught.value.exit_code == 4 and caught.value.diagnostics[0].code == "T107"
    assert {p.name: p.read_bytes() for p in (tmp_path / "b").iterdir()} == {
        "a": b"2",
        "b": b"1",
        "manifest.json": b"{}",
    }


def test_no_traceback_reaches_a_user(work: Path) -> None:
    """A bug of ours has its own exit code; --debug asks for the traceback, wherever it stands."""
    code = "import encap_compile.compile.pipeline as p; p.compile_spec = lambda *a, **k: 1 / 0; "
    code += "from encap_compile.cli import main; main()"
    for words in (["x.yaml"], ["--debug", "x.yaml"], ["x.yaml", "--debug"], ["compile", "--debug", "x.yaml"]):
        done = subprocess.run([sys.executable, "-c", code, *words], cwd=work, capture_output=True, text=True)
        assert ("Traceback" in done.stderr) == ("--debug" in words)
        assert "T123" in done.stderr and "--debug" in done.stderr
        assert done.returncode == 70


def test_a_reader_that_leaves(work: Path) -> None:
    done = subprocess.run(
        f"{shlex.quote(sys.executable)} -m encap_compile.cli schema | head -1",
        shell=True,
        cwd=work,
        capture_output=True,
        text=True,
    )
    assert done.stderr == "" and done.stdout.strip() == "{"


def test_results_and_diagnostics_go_separate_ways(work: Path) -> None:
    done = command(work, f"{IPIP}.yaml", "no-such.yaml")
    assert IPIP in done.stdout and "no-such" in done.stderr and "no-such" not in done.stdout
