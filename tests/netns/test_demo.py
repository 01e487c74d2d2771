"""The demo is what a newcomer sees first: it must succeed, look right in a log, and leave nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from demo import sockets
from demo.demo import STORIES, main

from tests.support import cgroups, netns
from tests.support.cli import ROOT

pytestmark = pytest.mark.kernel

DEMO = [sys.executable, "-m", "demo"]


def _left_by(pid: int) -> list[Path]:
    folders = (netns.NAMED, netns.STATE, cgroups.mount())
    return [path for folder in folders for path in folder.glob(f"{netns.PREFIX}{pid}-*")]


# What each story shows: without a word it is the first one.
SHOWN = {
    "": ("VXLAN", "VNI 42", "192.0.2.30 > 192.0.2.10", "hello from a plain socket"),
    "balancer": (
        *("3 of 3 answers unencapsulated", "192.0.2.20 > 192.0.2.30", "192.0.2.30 > 192.0.2.20", "VNI 77", "SYN ACK"),
        *("near: 64 requests", "far: 64 requests", "answers to 192.0.2.10, VNI 78", "then 192.0.2.21 VNI 177"),
        "3 of 3 answers dropped and counted, 0 unencapsulated",
    ),
    "appliance": (
        *("10.0.1.10 > 10.0.1.20", "10.0.1.20 > 10.0.1.10", "port 54321 > 6081", "1: 0a1b2c3d4e5f6071", "ttl 63"),
        *("packets back as they must be, 0 not", "a: 0 of 1, b: 1 of 1", "5 of 5 refused and counted"),
        "5 of 5 dropped and counted",
    ),
    "sockets": (
        *("answered by far", "status: chosen exits/far, ", "192.0.2.30 > 192.0.2.20 VNI 42"),
        *("EPERM for exits/far", "ENOENT for exits/mars", "EINVAL for far", "ENOPROTOOPT for exits/near"),
        *("exits/far to router", "accepted 10.1.0.1", "SYN ACK", "RST 192.0.2.30 > 192.0.2.10 VNI 42"),
        *("status: gone exits/far, ", "dropped and counted, 0 sent", "of them of who chose nothing"),
    ),
}


@pytest.mark.parametrize("story", SHOWN)
def test_it_succeeds(story: str) -> None:
    command = [*DEMO, *filter(None, [story])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    assert "FAIL" not in done.stdout
    assert re.search(r"^\d+ checks passed", done.stdout, re.MULTILINE)
    for words in SHOWN[story]:
        assert words in done.stdout, words
    assert max(map(len, done.stdout.splitlines())) <= 130


# What the checks of a story must find: a line of its spec or of its application that is another, and what then fails.
WRONG = {
    "the management comes last": ("spec", "    - {name: management", "    #", ["exits/far to router"]),
    "team-b may choose all": ("spec", "socket: [exits/near]", "socket: [exits]", ["not refused for exits/far"]),
    "an application that does not choose": (
        "visit.py",
        "teams.create_connection(there, name, timeout=5) if name else",
        "",
        ["exits/far to far", "exits/near to near", "not refused for exits/mars"],
    ),
    "a listener that does not choose": (
        "visit.py",
        "teams.socket(name)",
        "socket.socket()",
        ["accepted, and chosen", "unencapsulated "],
    ),
}


SLOW = {"an application that does not choose", "a listener that does not choose"}  # the story waits for each answer


@pytest.mark.parametrize("why", [pytest.param(w, marks=[pytest.mark.sweep] * (w in SLOW)) for w in WRONG])
def test_its_checks_can_fail(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where, before, after, failing = WRONG[why]
    source = sockets.SPEC if where == "spec" else Path(sockets.PYTHON[-1])
    text = source.read_text()
    assert text.count(before) == 1
    changed = tmp_path / source.name
    changed.write_text(text.replace(before, after))
    if where == "spec":
        monkeypatch.setattr(sockets, "SPEC", changed)
    else:
        monkeypatch.setattr(sockets, "PYTHON", (sys.executable, str(changed)))
    assert main(["sockets"]) == 1
    said = capsys.readouterr().out
    for words in failing:
        assert f"FAIL  {words}" in said, said
    assert "checks FAILED" in said


def test_every_story_is_listed() -> None:
    for words in (["nothing-of-the-kind"], ["overlay", "balancer"]):
        done = subprocess.run([*DEMO, *words], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 2
        for story in STORIES:
            assert f"\n  {story} " in done.stdout
    assert set(STORIES) == {"overlay", *SHOWN} - {""}


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("story", STORIES)
def test_interrupted(story: str, number: signal.Signals, step: int) -> None:
    """When the heading of a step is printed, whatever the machine's speed."""
    process = subprocess.Popen(
        [*DEMO, story],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert any(line.startswith(f"{step}  ") for line in process.stdout)
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert _left_by(process.pid) == []
