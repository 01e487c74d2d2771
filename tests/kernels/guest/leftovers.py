"""What a removed bundle left in the kernel: everything that is there now and was not before."""

from __future__ import annotations

import ctypes
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from .namespaces import inside, run

BPF_FILESYSTEM = Path("/sys/fs/bpf")
_SYS_BPF = 321  # x86-64
_NEXT_ID = {"program": 11, "map": 12, "link": 31}  # BPF_*_GET_NEXT_ID
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Snapshot:
    """The kernel's BPF objects by id, the pins, and what hangs on one device."""

    things: frozenset[str]

    def added_since(self, before: Snapshot) -> list[str]:
        return sorted(self.things - before.things)


def snapshot(namespace: str, device: str) -> Snapshot:
    things = {f"{kind} {number}" for kind in _NEXT_ID for number in _ids(kind)}
    things |= {f"pin {path}" for path in BPF_FILESYSTEM.rglob("*")}
    filters = [f"filter show dev {device} {direction}" for direction in ("ingress", "egress")]
    with inside(namespace):
        things |= {f"{device}: {line}" for line in _batch(["tc"], [*filters, f"qdisc show dev {device}"])}
        things |= set(_batch(["ip", "-oneline"], ["address show", "route show"]))
        things |= set(_batch(["ip", "-6"], ["route show"]))
    return Snapshot(frozenset(thing for thing in things if not _comes_by_itself(thing)))


def leftovers(before: Snapshot, namespace: str, device: str, limit: float = 3.0) -> list[str]:
    """What is still there after a while: the kernel frees programs and maps a grace period later."""
    until = time.monotonic() + limit
    while (added := snapshot(namespace, device).added_since(before)) and time.monotonic() < until:
        time.sleep(0.1)
    return added


def _comes_by_itself(line: str) -> bool:
    """Whether the kernel adds it when it likes: link-local IPv6 comes some time after a device is up."""
    return "inet6 fe80::" in line or line.startswith("fe80::")


def _ids(kind: str) -> list[int]:
    found: list[int] = []
    while True:
        attributes = ctypes.create_string_buffer(struct.pack("=III", found[-1] if found else 0, 0, 0), 120)
        if _libc.syscall(_SYS_BPF, _NEXT_ID[kind], attributes, 12) < 0:
            return found  # ENOENT: that was the last one
        found.append(struct.unpack_from("=I", attributes, 4)[0])


def _batch(program: list[str], commands: list[str]) -> list[str]:
    output = run([*program, "-batch", "-"], "".join(f"{command}\n" for command in commands))
    return [line.strip() for line in output.splitlines() if line.strip()]
