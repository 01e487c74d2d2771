"""The demo is what a newcomer sees first: it must succeed, look right in a log, and leave nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import netns
from tests.support.cli import ROOT

pytestmark = pytest.mark.kernel

DEMO = [sys.executable, "-m", "demo"]


def _left_by(pid: int) -> list[Path]:
    return [path for folder in (netns.NAMED, netns.STATE) for path in folder.glob(f"{netns.PREFIX}{pid}-*")]


def test_it_succeeds() -> None:
    done = subprocess.run(DEMO, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    assert "FAIL" not in done.stdout
    assert re.search(r"^\d+ checks passed", done.stdout, re.MULTILINE)
    for words in ("VXLAN", "VNI 42", "192.0.2.30 > 192.0.2.10", "hello from a plain socket"):
        assert words in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 130


@pytest.mark.parametrize("step", [1, 4, 8])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(number: signal.Signals, step: int) -> None:
    """When the heading of a step is printed, whatever the machine's speed."""
    process = subprocess.Popen(
        DEMO,
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
