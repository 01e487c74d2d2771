"""A lock that is held: named after a moment, waited for as long as --lock-timeout says."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.netns.loader_bundle import write
from tests.netns.loader_net import Wire, wire

pytestmark = pytest.mark.kernel
HOLDER = "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


@contextmanager
def held(lock: str) -> Iterator[int]:
    """Another process holds the lock; its number."""
    command = [sys.executable, "-c", HOLDER, lock]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            yield other.pid
        finally:
            other.communicate("\n")


def lock_of(net: Wire) -> str:
    (found,) = [path for path in net.left() if path.endswith("/lock")]
    return found


@pytest.mark.parametrize("verb", ["apply", "remove", "sweep", "watch"])
def test_a_lock_that_is_not_given_back(net: Wire, tmp_path: Path, verb: str) -> None:
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    words: dict[str, list[str | Path]] = {
        "apply": ["apply", bundle, "--set", "uplink=eth0"],
        "watch": ["watch", bundle, "--set", "uplink=eth0"],
        "remove": ["remove", "hand"],
        "sweep": ["sweep"],
    }
    lock = lock_of(net)
    if verb == "sweep":  # it locks namespaces that are gone
        gone = Path(lock).parent.parent / "7-1"
        (gone / "hand").mkdir(parents=True)
        lock = str(gone / "lock")
        Path(lock).touch()
    with held(lock) as pid:
        begun = time.monotonic()
        done = net.ctl(*words[verb], "--lock-timeout", "1.5", check=6)
        assert 1.5 <= time.monotonic() - begun < 6
        assert "error[H132]" in done.stderr
        # Once while it waits, once when it gives up.
        assert done.stderr.count(f"process {pid} (") == 2
        assert "import fcntl" in done.stderr
        assert net.send() == (20, 0)
        immediate = net.ctl(*words[verb], "--lock-timeout", "0", check=6)
        assert immediate.stderr.count(f"process {pid}") == 1
    if verb != "watch":
        net.ctl(*words[verb], "--lock-timeout", "0", check=0)
    if verb != "remove":
        net.ctl("remove", "hand", check=0)
    assert net.left() == []


def test_waiting_is_said_and_ends_when_the_lock_is_given_back(net: Wire, tmp_path: Path) -> None:
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    words = [sys.executable, "-m", "encap_compile.ctl", "apply", str(bundle), "--set", "uplink=eth0"]
    with Path(lock_of(net)).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = net.ours.popen([*words, "--format", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert waiting.stderr is not None
        assert "note[H132]" in waiting.stderr.readline()
        assert waiting.poll() is None
    out, _ = waiting.communicate(timeout=20)
    assert waiting.returncode == 0
    assert json.loads(out)["changed"] is False


def test_looking_waits_for_nobody(net: Wire, tmp_path: Path) -> None:
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    with held(lock_of(net)):
        net.ctl("status", "hand", check=0)
        net.ctl("plan", bundle, "--set", "uplink=eth0", check=0)
        net.ctl("stats", "hand", check=0)


def test_removed_again_after_a_kill_that_left_nothing_but_folders(net: Wire, tmp_path: Path) -> None:
    """Whatever a killed `remove` had not done, the next one does, be it only the last folder."""
    bundle = write(tmp_path / "one")
    net.apply(bundle, "--attach", "clsact")
    folders = sorted({str(Path(p).parent) for p in net.left() if p.startswith("/")})
    lock = lock_of(net)
    net.ctl("remove", "hand", check=0)
    assert net.left() == []
    for folder in folders:
        if not folder.startswith("/run/encap-netns/" + net.ours.name):
            continue
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(lock).parent.mkdir(parents=True, exist_ok=True)
        Path(lock).touch()
        net.ctl("remove", "hand")
        assert net.left() == [], folder
