"""`encap-compile test --kernel`: the tests of a spec, by the model and by the program."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from encap_compile import cli
from encap_compile.common import command_line
from encap_compile.compile import pipeline
from encap_compile.kernel_tests import both
from encap_compile.run.kernel.system import kernel_release

from ..support.documents import validate_output

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
SKIPPED = {"teams": 11, "tenants-by-cgroup": 4}  # of sockets
OVERLAY = "vxlan-overlay.yaml"
NAMESPACE = Path("/proc/thread-self/ns/net")


def run(*words: str) -> int:
    return command_line.run(cli.cli, "encap-compile", ["test", "--kernel", *words])


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path / "examples")
    return tmp_path / "examples"


def edit(path: Path, *edits: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)


def other_program(monkeypatch: pytest.MonkeyPatch, work: Path, name: str, *edits: tuple[str, str]) -> None:
    """Have the program built from the spec as edited, while the model goes by the spec itself."""
    other = work / f"other-{name}"
    shutil.copy(work / name, other)
    edit(other, *edits)

    def build(path: str, out: Path, clang: str = "") -> pipeline.Compiled:
        return pipeline.compile_spec(str(other), out, clang)

    monkeypatch.setattr(both, "compile_spec", build)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_the_examples(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--format", "json", str(path)) == 0
    out = capsys.readouterr().out
    validate_output(["test"], out)
    (suite,) = json.loads(out)["suites"]
    assert suite["failed"] == 0 and suite["kernel"] == kernel_release()
    assert suite["skipped"] == SKIPPED.get(path.stem, 0)
    for test in suite["tests"]:
        assert test["ran"] == (["model"] if test["skipped"] else ["model", "program"])


def test_what_neither_does_fails_by_both(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(work / OVERLAY, ("vxlan.vni: 42}}\n    - name: beside", "vxlan.vni: 41}}\n    - name: beside"))
    assert run(OVERLAY) == 1
    out = capsys.readouterr().out
    assert "FAILED  web: encapsulate by web (model, program)" in out
    assert out.count("sent.vxlan.vni: 41 expected, 42 found") == 1  # both found the same
    assert "differ" not in out
    assert run("--format", "json", OVERLAY) == 1
    found = json.loads(capsys.readouterr().out)
    (web,) = [t for t in found["suites"][0]["tests"] if not t["passed"]]
    assert [d["by"] for d in web["differences"]] == ["model", "program"] and web["disagreements"] == []


@pytest.mark.parametrize(
    ("edits", "test", "said"),
    [
        (
            [("destination: endpoint.address}", "destination: endpoint.address, ttl: 9}")],
            "web",
            ["sent.ip.ttl: 64 expected, 9 found by the program", "byte 22 of the frame: 4011"],
        ),
        (
            [("action: drop", "action: pass")],
            "lab",
            ["verdict: drop expected, pass found by the program", "verdict: drop by the model, pass by the program"],
        ),
        ([("443, 8000-8999]", "444, 8000-8999]")], "web", ["counter egress_rule_web: 1 packets, "]),
        (
            [("{received.vxlan.vni: 42, mark: 0}", "{received.vxlan.vni: 42, mark: 9}")],
            "from-a-peer",
            ["mark: 0 expected, 9 found by the program", "mark: 0 by the model, 9 by the program"],
        ),
        (
            [("{received.vxlan.vni: 42, mark: 0}", "{received.vxlan.vni: 41, mark: 0}")],
            "from-a-peer",
            [
                "verdict: decapsulate expected, drop found by the program",
                "counter refused_vxlan__vni: 0 packets, 0 bytes",
            ],
        ),
        (
            [("{received.vxlan.vni: 42, mark: 0}", "{received.vxlan.vni: 43, mark: 0}")],
            "another-vni",
            ["verdict: drop expected, decapsulate found by the program", "length: "],
        ),
    ],
)
def test_a_program_that_does_something_else_is_noticed(
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    edits: list[tuple[str, str]],
    test: str,
    said: list[str],
) -> None:
    edit(work / OVERLAY, ("sent: {ip.destination: 192.0.2.10, ", "sent: {ip.destination: 192.0.2.10, ip.ttl: 64, "))
    other_program(monkeypatch, work, OVERLAY, *edits)
    assert run(OVERLAY) == 70
    out = capsys.readouterr().out
    assert f"FAILED  {test}: " in out
    for words in said:
        assert words in out
    assert run("--format", "github", OVERLAY) == 70
    shown = capsys.readouterr()
    assert f"T135: test `{test}`: model and program differ" in (shown.out + shown.err).replace("::", ": ")


def test_what_is_learned_is_of_one_test(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program begins each test with nothing learned, and sees the packets of `after`."""
    edit(work / "vxlan-return.yaml", ("      after: request\n", ""))
    assert run("vxlan-return.yaml") == 1
    out = capsys.readouterr().out
    assert "FAILED  answer: " in out and "differ" not in out
    assert "ok      never-asked: drop by vip-unlearned (model, program)" in out


def test_what_cannot_be_shown_is_skipped_and_said(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = "    - name: long\n      leaves: {source: 10.0.0.5, destination: 10.4.0.1, length: 4000}\n"
    edit(work / OVERLAY, ("  packets:\n", f"  packets:\n{long}      expect: {{verdict: drop}}\n"))
    assert run(OVERLAY) == 0
    out = capsys.readouterr().out
    assert (
        "ok      long: drop by sites (model; program skipped: BPF_PROG_TEST_RUN takes frames of up to 3400 bytes)"
        in out
    )
    assert "10 run, 1 skipped" in out
    assert run("teams.yaml", "--format", "sarif") == 0
    (sarif,) = json.loads(capsys.readouterr().out)["runs"]
    notes = [r["message"]["text"] for r in sarif["results"] if r["ruleId"] == "T136" and r["level"] == "note"]
    assert len(notes) == SKIPPED["teams"] and any("no programs of connect()" in text for text in notes)


ONLY_OUT = """
apiVersion: encap/v1alpha1
name: only-out
host: {uplink: device, address: {type: ipv4, default: uplink.address}}
attach: {devices: host.uplink}
encapsulations: {ipip: [{ipv4: {source: host.address, destination: 192.0.2.1}}]}
endpoints: {ends: {fields: {unused: u8}, encapsulation: ipip, rows: [{name: one, unused: 0}]}}
egress: {rules: [{name: some, match: {destination: 10.0.0.0/8}, to: ends/one}], default: drop}
mtu: {clamp_mss: false, path: ignore}
tests:
  packets:
    - {name: in, arrives: {source: 10.1.1.1, destination: 10.0.0.1}, expect: {verdict: pass}}
    - {name: out, after: in, leaves: {source: 10.1.1.1, destination: 10.0.0.1}, expect: {verdict: encapsulate}}
"""


def test_a_spec_without_a_program_that_way(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "only-out.yaml").write_text(ONLY_OUT)
    assert run("only-out.yaml") == 0
    out = capsys.readouterr().out
    assert "in: pass (model; program skipped: the spec needs no program for packets that go this way)" in out
    assert "out: encapsulate by some (model, program)" in out


def test_junit_has_cases_of_both(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other_program(monkeypatch, work, "teams.yaml", ("{received.gre.key: 7, mark: 0}", "{received.gre.key: 8, mark: 0}"))
    assert run("teams.yaml", "--format", "junit") == 70
    (suite,) = ElementTree.fromstring(capsys.readouterr().out.partition("\n")[2])
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("28", "2", "11")
    failed = [(case.get("classname"), case.get("name")) for case in suite if case.find("failure") is not None]
    assert failed == [("teams.program", "back-from-fra"), ("teams.program", "back-with-another-key")]


def test_a_wrong_test_is_told_before_anything_is_built(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(work / OVERLAY, ("rule: lab}", "rule: lap}"))
    assert run(OVERLAY, "--clang", "/nowhere/clang") == 1
    assert "there is no rule `lap`" in capsys.readouterr().err
    edit(work / OVERLAY, ("rule: lap}", "rule: lab}"))
    assert run(OVERLAY, "--clang", "/nowhere/clang") == 4
    assert "error[T1" in capsys.readouterr().err


def test_without_privilege(work: Path) -> None:
    """It is said what is missing (exit code 6); without --kernel the same tests need nothing."""
    words = [sys.executable, "-m", "encap_compile.cli", "test", OVERLAY]
    bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]  # still root by name, which may do nothing more

    def without_capabilities(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*bare, *words, *more], cwd=work, capture_output=True, text=True)

    assert without_capabilities().returncode == 0
    refused = without_capabilities("--kernel")
    assert refused.returncode == 6 and refused.stdout == ""
    assert "error[H101]: CAP_" in refused.stderr and "run it as root" in refused.stderr


def test_nothing_is_left_behind(work: Path) -> None:
    def programs() -> str:
        return subprocess.run(["ls", "/sys/fs/bpf"], capture_output=True, text=True).stdout

    before, namespace = programs(), NAMESPACE.stat().st_ino
    files = sorted(work.rglob("*"))
    assert run(OVERLAY) == 0
    assert programs() == before and sorted(work.rglob("*")) == files
    assert NAMESPACE.stat().st_ino == namespace
