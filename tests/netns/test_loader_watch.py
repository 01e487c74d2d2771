"""watch: a bundle follows its cgroups, says what has changed, and ends when told, with everything in force."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.netns.loader_sockets import Sockets, named, sockets, tenant, write

pytestmark = pytest.mark.kernel
PEER = "192.0.2.2"
PATIENCE = 5.0  # seconds: below the time after which watch looks without being told
STARTING = 60.0  # seconds: nothing but the first apply ends that wait, however busy the machine is


@pytest.fixture
def on() -> Iterator[Sockets]:
    with sockets() as made:
        yield made
        made.net.ctl("remove", "hand")
        assert made.net.left() == []


class Watching:
    """A running `encapctl run`, and what it says."""

    def __init__(self, on: Sockets, bundle: Path, *words: str, before: str = "") -> None:
        program = (
            "from encap_compile import ctl; from encap_compile.run import watch\n"
            f"from encap_compile.run.kernel import inotify\n{before}\nctl.main()"
        )
        command = [sys.executable, "-c", program, "run", str(bundle), *on.values, *words]
        self.process = on.net.ours.popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.unread = ""
        self.lines: list[str] = []

    def until(self, words: str, patience: float = PATIENCE) -> str:
        """Read on until a line has these words."""
        assert self.process.stdout
        end = time.monotonic() + (patience if self.lines else STARTING)
        while time.monotonic() < end:
            while "\n" in self.unread:
                line, _, self.unread = self.unread.partition("\n")
                self.lines.append(line)
                if words in line:
                    return line
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                read = os.read(self.process.stdout.fileno(), 1 << 16)
                if not read:
                    break  # it has ended
                self.unread += read.decode()
        raise AssertionError(f"no `{words}` in {self.lines}")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=PATIENCE)
        self.lines += (self.unread + out).splitlines()
        return self.process.returncode


@contextmanager
def watching(on: Sockets, bundle: Path, *words: str, before: str = "") -> Iterator[Watching]:
    made = Watching(on, bundle, *words, before=before)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.communicate()
    assert not any("Traceback" in line for line in made.lines), made.lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_cgroups_come_and_go(on: Sockets, tmp_path: Path, number: int) -> None:
    bundle = write(tmp_path / "one", named("a.slice"), {"b.slice/x": PEER})
    with watching(on, bundle) as watch:
        watch.until("0 rows, 2 programs changed.")
        first = on.tree.make("a.slice")
        line = watch.until("cgroup a.slice has come")
        assert re.fullmatch(rf"hand: cgroup a\.slice has come, number {first}: applied   \d+\.\d\d s", line)
        with tenant(on.net, on.tree, "a.slice") as inside:
            assert inside.choose(inside.socket(), PEER) == 0
        on.tree.drop("a.slice")
        watch.until("hand: cgroup a.slice is gone, and pending until it comes back")
        second = on.tree.make("a.slice")
        watch.until(f"has come, number {second}: applied")
        on.tree.make("b.slice/x")
        watch.until("hand: cgroup b.slice/x has come")
        on.tree.make("c.slice")  # nobody names it
        time.sleep(0.5)
        assert watch.end(number) == 0
        assert watch.lines[-1].startswith("hand: cgroup b.slice/x")
    assert on.status(check=0)["drift"] == []
    with tenant(on.net, on.tree, "a.slice") as inside:
        sock = inside.socket()
        assert inside.choose(sock, PEER) == 0
        assert on.arrived(inside, sock) == (5, 0)


def test_a_unit_that_starts_again_at_once(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice")
    with watching(on, write(tmp_path / "one", named("a.slice"))) as watch:
        watch.until("4 programs changed.")
        for _ in range(5):
            on.tree.drop("a.slice")
            now = on.tree.make("a.slice")
            watch.until(f" {now}: applied")  # whether or not it was seen to be gone
        assert on.status(check=0)["drift"] == []
        assert len([p for p in on.net.left() if "sockopt_" in p]) == 2
        assert watch.end() == 0


def test_what_fails_is_tried_again(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("all/a.slice")
    on.values = (*on.values[:-1], f"tenants={on.tree.path}/all")
    with watching(on, write(tmp_path / "one", named("a.slice"))) as watch:
        watch.until("4 programs changed.")
        on.tree.drop("all")
        watch.until("error[H117]: there is no cgroup")
        watch.until("encapctl: tried again in 1 s")
        watch.until("encapctl: tried again in 2 s")
        number = on.tree.make("all/a.slice")
        watch.until(f"-> {number}: applied")
        assert watch.end() == 0
    on.status(check=0)


def test_what_fails_at_first_ends_it(on: Sockets, tmp_path: Path) -> None:
    on.values = (*on.values[:-1], f"tenants={on.tree.path}/none")
    with watching(on, write(tmp_path / "one", named("a.slice"))) as watch:
        watch.until("error[H117]")
        assert watch.process.wait(10) == 6


def test_documents(on: Sockets, tmp_path: Path) -> None:
    with watching(on, write(tmp_path / "one", named("a.slice")), "--format", "json") as watch:
        first = json.loads(watch.until("{"))
        assert (first["name"], first["programs"], first["pending"]) == ("hand", 2, ["a.slice"])
        number = on.tree.make("a.slice")
        second = json.loads(watch.until("{"))
        assert second["cgroups"] == [{"path": "a.slice", "before": None, "number": number}]
        assert (second["programs"], second["pending"], second["diagnostics"]) == (2, [], [])
        assert watch.end() == 0


def test_killed_it_leaves_everything_in_force(on: Sockets, tmp_path: Path) -> None:
    on.tree.make("a.slice")
    with watching(on, write(tmp_path / "one", named("a.slice"))) as watch:
        watch.until("4 programs changed.")
        watch.process.kill()
        watch.process.wait(10)
    on.status(check=0)
    assert on.tree.hooked("a.slice") == ["ask", "choose"]


@pytest.mark.parametrize(
    "deaf",
    [
        "inotify._EVENTS = inotify._IN_ONLYDIR",  # no event at all: EINVAL
        "inotify._libc = lambda: type('None', (), {'inotify_init1': lambda self, flags: -1})()",
    ],
)
def test_without_being_told_it_looks(on: Sockets, tmp_path: Path, deaf: str) -> None:
    bundle = write(tmp_path / "one", named("a.slice"))
    with watching(on, bundle, before=f"{deaf}; watch.POLL = 0.5") as watch:
        watch.until("2 programs changed.")
        number = on.tree.make("a.slice")
        watch.until(f"has come, number {number}: applied")
        assert watch.end() == 0
    with watching(on, bundle, before=f"{deaf}; watch.POLL = 60") as watch:
        watch.until("Nothing changed")
        time.sleep(0.5)  # it looks once before it waits
        on.tree.drop("a.slice")
        with pytest.raises(AssertionError, match="is gone"):
            watch.until("a.slice is gone", patience=1.0)
        assert watch.end() == 0
