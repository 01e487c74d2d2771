"""Nothing of a network outlives the process that made it, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import netns
from tests.support.cli import ROOT
from tests.support.polling import until

pytestmark = pytest.mark.kernel

BUILD_AND_WAIT = """
import time
from tests.support import netns
from tests.support.topology import Topology
netns.clean_up_when_told_to_stop()
with Topology() as topology:
    topology.ours.popen(["sleep", "600"])
    print("ready", flush=True)
    time.sleep(600)
"""

BUILD_AND_DIE = """
import os, signal
from pathlib import Path
from tests.support.topology import Topology
def test_worker():
    with Topology():
        Path("pid").write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
"""


def _left_by(pid: int) -> list[Path]:
    return [path for folder in (netns.NAMED, netns.STATE) for path in folder.glob(f"{netns.PREFIX}{pid}-*")]


@pytest.fixture
def building() -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", BUILD_AND_WAIT], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert len(_left_by(process.pid)) >= 4
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_told_to_stop(building: subprocess.Popen[str], number: signal.Signals) -> None:
    building.send_signal(number)
    building.wait(10)
    assert _left_by(building.pid) == []


def test_killed(building: subprocess.Popen[str]) -> None:
    """Nobody can clean up after SIGKILL but the next run."""
    building.kill()
    building.wait(10)
    assert _left_by(building.pid)
    netns.sweep()
    assert _left_by(building.pid) == []


def test_the_living_are_left_alone(building: subprocess.Popen[str]) -> None:
    netns.sweep()
    assert len(_left_by(building.pid)) >= 4
    building.terminate()
    building.wait(10)
    until(lambda: not _left_by(building.pid), "cleaned up")


def test_a_killed_worker_of_a_test_run(tmp_path: Path) -> None:
    """Its namespaces are gone when the run is over, and need no next one."""
    (tmp_path / "test_dying.py").write_text(BUILD_AND_DIE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "-n", "1"]
    done = subprocess.run(
        [*command, "--max-worker-restart", "0", "test_dying.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "crashed" in done.stdout, done.stdout + done.stderr
    assert _left_by(int((tmp_path / "pid").read_text())) == []
