"""encapctl, killed right before any call by which it changes something: a file, the network, a hook, a map, a pin.

One process imports everything and forks for each run, which takes a fraction of a start. A kill before each call, and
one before the end, is a kill after each call.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.netns import Namespace

MOST = 400
DRIVER = """
import os, sys
from encap_compile.ctl import main
import encap_compile.run.apply, encap_compile.run.remove, encap_compile.run.watch, pyroute2
import encap_compile.run.api, encap_compile.run.views.plan_view, encap_compile.run.views.status_view
import encap_compile.common.rows
from encap_compile.run.kernel import netlink, rtnetlink
from encap_compile.run.kernel.libbpf import libbpf

last, seen = 0, 0
FILES = {"os.remove", "os.rmdir", "os.mkdir", "os.rename", "os.chmod", "shutil.rmtree"}
WRITES = os.O_CREAT | os.O_WRONLY | os.O_RDWR

def point():
    global seen
    seen += 1
    if seen == last:
        os.kill(os.getpid(), 9)

def file_event(event, arguments):
    # sysctls are opened to be written, and made by nobody
    if event in FILES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES):
        point()

def before(where, name):
    call = getattr(where, name)
    def instead(*given, **named):
        point()
        return call(*given, **named)
    setattr(where, name, instead)

for name in ("change", "changes"):
    before(rtnetlink.RouteSocket, name)
for name in ("add_clsact", "delete_clsact", "replace_filter", "delete_filter"):
    before(netlink, name)
for name in ("bpf_link_create", "bpf_link_update", "bpf_link_detach", "bpf_obj_pin",
             "bpf_map_update_elem", "bpf_map_update_batch", "bpf_map_delete_elem", "bpf_map_delete_batch"):
    before(libbpf(), name)

print("ready", flush=True)
for line in sys.stdin:
    number, *words = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if not child:
        last, seen = int(number), 0
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(2, 1)
        sys.argv[1:] = words
        sys.addaudithook(file_event)
        main()
        os._exit(70)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Runs:
    """Runs of encapctl in a namespace."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log
        self._before = 0  # bytes of the log

    def killed_at(self, point: int, *words: str | Path) -> bool:
        """Whether it came so far that it was killed; else it did what it should."""
        code = self.run(point, *words)
        assert code in (0, -9), f"{code}\n{self._log.read_text()[-2000:]}"
        return code == -9

    def run(self, point: int, *words: str | Path) -> int:
        """Its exit code; 0 as a point is none."""
        assert self._process.stdin and self._process.stdout
        self._before = self._log.stat().st_size
        self._process.stdin.write("\t".join([str(point), *map(str, words)]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def said(self) -> str:
        """What the last run printed."""
        return self._log.read_bytes()[self._before :].decode()

    def apply(self, bundle: Path, *words: str | Path) -> None:
        """All of it."""
        code = self.run(0, "apply", bundle, "--set", "uplink=eth0", *words)
        assert code == 0, f"{code}\n{self._log.read_text()[-2000:]}"


@contextmanager
def runs(ours: Namespace, folder: Path) -> Iterator[Runs]:
    log = folder / "encapctl.log"
    with log.open("w") as errors, ours.entered():
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | ours.environment(),
        )
    assert process.stdin and process.stdout
    assert process.stdout.readline() == "ready\n", log.read_text()
    try:
        yield Runs(process, log)
    finally:
        process.stdin.close()
        process.wait()
