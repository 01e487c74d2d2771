"""Two namespaces on one wire for the loader's tests: ours sends, the peer counts what arrives by a BPF program."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from encap_compile.run.kernel.links import programs_on
from encap_compile.run.kernel.netlink import add_clsact, replace_filter
from encap_compile.run.kernel.objects import BpfObject
from encap_compile.run.kernel.system import kernel_version
from encap_compile.run.kernel.uapi import TC_CLSACT_INGRESS
from tests.netns.loader_bundle import compiled
from tests.support.documents import validate_output
from tests.support.netns import STATE, Namespace

COMPILER = Path(__file__).parents[2] / "compiler"
INSIDE = "10.1.0.1"
HAS_TCX = kernel_version() >= (6, 6)
ATTACH = ("tcx", "clsact") if HAS_TCX else ("clsact",)

COUNTING = r"""
typedef unsigned char __u8; typedef unsigned int __u32; typedef unsigned long long __u64;
#define SEC(NAME) __attribute__((section(NAME), used))
struct __sk_buff { __u32 len, more[18], data, data_end; };
static void *(*lookup)(void *map, const void *key) = (void *)1;
struct { int (*type)[2]; __u32 *key; __u64 *value; int (*max_entries)[2]; } arrived SEC(".maps");
SEC("tc") int count(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	if (data + 34 > end || data[12] != 8 || data[13] != 0 || (data[23] != 4 && data[23] != 17 && data[23] != 47))
		return -1;
	__u32 clear = data[23] == 17;
	__u64 *number = lookup(&arrived, &clear);
	if (number)
		__atomic_fetch_add(number, 1, __ATOMIC_RELAXED); /* xadd: 5.10 has no other */
	return @VERDICT@;
}
const char LICENSE[] SEC("license") = "GPL";
"""

FLOOD = """
import ctypes, json, socket, sys, time
class iovec(ctypes.Structure): _fields_ = [("base", ctypes.c_char_p), ("len", ctypes.c_size_t)]
class msghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.POINTER(iovec)),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int)]
class mmsghdr(ctypes.Structure): _fields_ = [("hdr", msghdr), ("len", ctypes.c_uint)]
rate, batch = int(sys.argv[2]), 100
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.connect((sys.argv[1], 7))
sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
one = iovec(b"x" * 22, 22)
messages = (mmsghdr * batch)(*[mmsghdr(msghdr(iov=ctypes.pointer(one), iovlen=1)) for _ in range(batch)])
import os, select
sent, begun = 0, time.monotonic()
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    due = (time.monotonic() - begun) * rate
    if sent < due:
        sent += ctypes.CDLL(None).sendmmsg(sock.fileno(), messages, batch, 0)
    else:
        time.sleep(0.0005)
print(json.dumps({"sent": sent, "seconds": time.monotonic() - begun}), flush=True)
"""


class Wire:
    """`ours` has eth0 with 192.0.2.1 and routes 10.1.0.0/16 to the `peer`, which counts packets by kind."""

    def __init__(self, ours: Namespace, peer: Namespace) -> None:
        self.ours, self.peer = ours, peer
        ours.ip(
            f"link add eth0 type veth peer name eth0 netns {peer.name}",
            "addr add 192.0.2.1/24 dev eth0",
            "link set eth0 up",
        )
        peer.ip("addr add 192.0.2.2/24 dev eth0", "link set eth0 up")
        mac = json.loads(peer.run(["ip", "-j", "link", "show", "dev", "eth0"]).stdout)[0]["address"]
        ours.ip(f"neigh add 192.0.2.2 lladdr {mac} dev eth0", "route add 10.1.0.0/16 via 192.0.2.2 mtu 1400")
        self._object = BpfObject(compiled(COUNTING.replace("@VERDICT@", "2").lstrip()), "counting")
        self._object.load()
        with peer.entered(), self._object.program("count") as program:
            index = socket.if_nametoindex(
                "eth0"
            )  # not always 2: kernels with tunnel modules put devices of theirs first
            add_clsact(index)
            replace_filter(index, TC_CLSACT_INGRESS, 1, 1, program.fd, "counting")
        self._map = self._object.map("arrived")

    def close(self) -> None:
        self._map.close()
        self._object.close()

    def arrived(self) -> tuple[int, int]:
        """Encapsulated packets and packets unencapsulated, so far."""
        both = [struct.unpack("=Q", self._map.lookup(struct.pack("=I", i)))[0] for i in (0, 1)]
        return both[0], both[1]

    def send(self, count: int = 20) -> tuple[int, int]:
        """Send packets that the bundle of the tests encapsulates; what arrived of them."""
        before = self.arrived()
        with self.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(count):
                sender.sendto(b"x" * 22, (INSIDE, 7))
        after = self.arrived()
        return after[0] - before[0], after[1] - before[1]

    @contextmanager
    def flood(self, rate: int) -> Iterator[dict[str, Any]]:
        """Send `rate` packets a second while the block runs; afterwards the dictionary says how many."""
        result: dict[str, Any] = {}
        with self.ours.entered():
            process = subprocess.Popen(
                [sys.executable, "-c", FLOOD, INSIDE, str(rate)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert process.stdin and process.stdout
        process.stdout.readline()
        try:
            yield result
        finally:
            out, _ = process.communicate("stop\n")
            result.update(json.loads(out))

    def ctl(self, *words: str | Path, check: int | None = None, prefix: tuple[str, ...] = ()) -> Any:
        """Run encapctl here; with `check`, its exit code must be that."""
        done = self.ours.run([*prefix, sys.executable, "-m", "encap_compile.ctl", *map(str, words)], check=False)
        if check is not None:
            assert done.returncode == check, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        if "json" in words and done.stdout:
            validate_output([str(word) for word in words], done.stdout)
        return done

    def apply(self, bundle: Path, *words: str | Path, check: int | None = 0) -> Any:
        return self.ctl("apply", bundle, "--set", "uplink=eth0", *words, check=check)

    @contextmanager
    def here(self) -> Iterator[None]:
        """Within the block this process is `ours`, to call the loader without starting a process."""
        with mock.patch.dict(os.environ, self.ours.environment()), self.ours.entered():
            yield

    def left(self) -> list[str]:
        """Everything of ours that can be found: pins, state, filters, qdiscs, programs on the hooks."""
        found = [str(p) for p in self.ours.bpffs().rglob("*") if not p.name.endswith(".debug")]
        found += [str(p) for word in ("state", "journal") for p in (STATE / self.ours.name).glob(f"{word}/**/*")]
        for words in ("qdisc show dev eth0", "filter show dev eth0 ingress", "filter show dev eth0 egress"):
            text = self.ours.run(["tc", *words.split()], check=False).stdout
            found += [line for line in text.splitlines() if "clsact" in line or "encap" in line]
        return found + [f"program {n}" for n in self.hook("ingress") + self.hook("egress")]

    def hook(self, word: str) -> list[int]:
        """Programs on a TCX hook of eth0."""
        if not HAS_TCX:
            return []
        with self.ours.entered():
            numbers = {name: number for number, name in socket.if_nameindex()}
            return list(programs_on(numbers["eth0"], 46 if word == "ingress" else 47)) if "eth0" in numbers else []


@contextmanager
def wire() -> Iterator[Wire]:
    with Namespace("ours") as ours, Namespace("peer") as peer:
        made = Wire(ours, peer)
        try:
            yield made
        finally:
            made.close()


@contextmanager
def patient_backlog() -> Iterator[None]:
    """Let a CPU that is late hold packets instead of dropping them: the kernel's own queue is not under test."""
    path = Path("/proc/sys/net/core/netdev_max_backlog")
    before = path.read_text()
    path.write_text("1000000\n")
    try:
        yield
    finally:
        path.write_text(before)
