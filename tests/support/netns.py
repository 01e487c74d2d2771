"""Network namespaces that clean up after themselves.

A namespace is named `encap-PID-N-ROLE`, so that `ip netns` shows whose it is and `sweep` finds what a killed process
left. A thread enters it for a moment (`entered`); a socket or a child process made there stays there. `ip netns exec`
is not used: it mounts a new /sys and so hides the cgroup and bpf filesystems.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import syscalls

PREFIX = "encap-"
NAMED = Path("/run/netns")
STATE = Path("/run/encap-netns")
Command = Sequence[str | os.PathLike[str]]

_FIRST_PID_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO of include/linux/proc_ns.h
_SHARES_MOUNTS = (
    str(Path("/proc/self/ns/pid").readlink()) == _FIRST_PID_NAMESPACE
    # The first mount's number, which no mount of another mount namespace has.
    and Path("/proc/self/mountinfo").read_text().split()[0] == Path("/proc/1/mountinfo").read_text().split()[0]
)
_serial = itertools.count(1)
_alive: dict[str, Namespace] = {}


class CommandError(RuntimeError):
    """A command returned something else than 0; the message holds all it said."""


class Namespace:
    """One network namespace with its own bpf filesystem. Use it as a context manager, or call `destroy`."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.name = f"{PREFIX}{os.getpid()}-{next(_serial)}-{role}"
        _alive[self.name] = self
        _ip("netns", "add", self.name)
        self._fd = os.open(NAMED / self.name, os.O_RDONLY | os.O_CLOEXEC)
        # Duplicate address detection would keep IPv6 addresses unusable for a second.
        self.sysctl("net.ipv6.conf.default.accept_dad", 0)
        self.sysctl("net.ipv6.conf.all.accept_dad", 0)
        self.ip("link set lo up")

    def __repr__(self) -> str:
        return f"<netns {self.role}>"

    def __enter__(self) -> Namespace:
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Within the block, this thread is in the namespace: for sockets, child processes and /proc/sys/net."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            syscalls.setns(self._fd, syscalls.CLONE_NEWNET)
            yield
        finally:
            syscalls.setns(home, syscalls.CLONE_NEWNET)
            os.close(home)

    def socket(self, family: int, kind: int, proto: int = 0) -> socket.socket:
        """A socket of this namespace; it stays one wherever it is used."""
        with self.entered():
            return socket.socket(family, kind, proto)

    def environment(self) -> dict[str, str]:
        """What encapctl pins and remembers is kept apart for each namespace."""
        own = {
            "ENCAP_BPFFS": str(self.bpffs()),
            "ENCAP_STATE": str(STATE / self.name / "state"),
            "ENCAP_JOURNAL": str(STATE / self.name / "journal"),
        }
        # Tests may run in a container: what they pin has to live as long as they do, and no longer.
        return own if _SHARES_MOUNTS else {**own, "ENCAP_PINS_PERSIST": "1"}

    def popen(self, command: Command, **more: Any) -> subprocess.Popen[str]:
        """Start a command here."""
        environment = os.environ | self.environment()
        with self.entered():
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, env=environment, **more)

    def run(self, command: Command, timeout: float = 60, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command here and return what it said; raise `CommandError` if it failed and `check` is set."""
        process = self.popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            process.wait()
            raise
        done = subprocess.CompletedProcess([str(word) for word in command], process.returncode, out, err)
        if check and done.returncode != 0:
            raise CommandError(f"{' '.join(done.args)} in {self.role} returned {done.returncode}\n{out}{err}")
        return done

    def ip(self, *lines: str) -> None:
        """Apply lines of `ip -batch`, all of them or raise at the first that fails."""
        self._batch("ip", lines)

    def tc(self, *lines: str) -> None:
        """Apply lines of `tc -batch`."""
        self._batch("tc", lines)

    def _batch(self, tool: str, lines: Sequence[str]) -> None:
        with self.entered():
            done = subprocess.run([tool, "-batch", "-"], input="\n".join(lines) + "\n", capture_output=True, text=True)
        if done.returncode != 0:
            raise CommandError(f"{tool} in {self.role}: {done.stderr.strip()}\n" + "\n".join(lines))

    def sysctl(self, name: str, value: int | str) -> None:
        # A device's name may hold a dot (eth0.7), so callers write those with slashes.
        path = name if "/" in name else name.replace(".", "/")
        with self.entered():
            (Path("/proc/sys") / path).write_text(f"{value}\n")

    def counter(self, device: str, name: str) -> int:
        """A counter of `/proc/net/dev`: rx_packets, rx_drop, tx_packets, tx_drop."""
        column = {"rx_packets": 1, "rx_drop": 3, "tx_packets": 9, "tx_drop": 11}[name]
        with self.entered():
            lines = Path("/proc/thread-self/net/dev").read_text().splitlines()
        for line in lines:
            head, _, rest = line.partition(":")
            if head.strip() == device:
                return int(rest.split()[column - 1])
        raise LookupError(device)

    def bpffs(self) -> Path:
        """A bpf filesystem for this namespace; unmounting it lets go of everything pinned there."""
        path = STATE / self.name / "bpf"
        if not path.is_mount():
            path.mkdir(parents=True, exist_ok=True)
            syscalls.mount("bpf", str(path), "bpf")
        return path

    def destroy(self) -> None:
        """End what runs here and delete the namespace; harmless when done twice."""
        if _alive.pop(self.name, None) is None:
            return
        with _uninterrupted():
            if hasattr(self, "_fd"):
                os.close(self._fd)
            _delete(self.name)


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise CommandError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the block is done: half a clean-up is none."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _delete(name: str) -> None:
    """Delete a namespace by name with its processes and its bpf filesystem, whatever of these there still is."""
    if (NAMED / name).exists():
        for pid in _ip("netns", "pids", name).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        _ip("netns", "delete", name)
    state = STATE / name
    if (state / "bpf").is_mount():
        syscalls.umount(str(state / "bpf"))
    shutil.rmtree(state, ignore_errors=True)


def sweep() -> list[str]:
    """Delete the namespaces whose process is dead and return their names."""
    swept = []
    names = {path.name for folder in (NAMED, STATE) if folder.is_dir() for path in folder.glob(PREFIX + "*")}
    for name in sorted(names):
        pid = name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            _delete(name)
            swept.append(name)
    return swept


def destroy_all() -> None:
    """Delete every namespace that this process still has."""
    for namespace in list(_alive.values()):
        namespace.destroy()


def clean_up_when_told_to_stop() -> None:
    """Make SIGTERM and SIGHUP interrupt as Ctrl-C does, so that context managers get to clean up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


_owner = os.getpid()


@atexit.register
def _at_exit() -> None:
    if os.getpid() == _owner:  # a forked child must not take its parent's namespaces away
        destroy_all()
