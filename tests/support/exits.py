"""Two exits with the kernel's own vxlan devices, and a host whose sockets choose between them.

`far` and `near` are exits and, behind them, the services: each has the services' addresses, and so has the router. Who
answers says which way the question took: by an exit, or unencapsulated ("router").
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from . import cli, kernel_vxlan
from .cgroups import Tree, mount
from .fnv import fnv1a
from .netns import Namespace
from .polling import until
from .topology import PLAN, Topology

EXITS = ("far", "near")
CLEAR = "router"
VNI = 42
PORT = 7000
SERVICE = {4: "198.51.100.7", 6: "2001:db8:5::7"}
APPLICATION = {v: str(PLAN["ours"].overlay[v]) for v in (4, 6)}
OTHER_SOURCE = {4: "198.51.100.66", 6: "2001:db8:5::66"}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
CHOOSE, STATUS = 1, 2
STATUS_LAYOUT = struct.Struct("=IIIIQQ104s")
DEEPEST = "units/2/3/4/5/6/7/8"  # as far below the attached cgroup as rows may be
ARRIVES = 20.0  # seconds until what should arrive counts as lost; an emulated kernel is slow
WHO, CLOSE = b"who?", b"now close"


class Status(NamedTuple):
    size: int
    state: int
    overhead: int
    mss: int
    packets: int
    bytes: int
    name: str


def level(spec: str) -> int:
    """The level of socket options of a spec: by its name alone, as the documentation says."""
    return 0x40000000 | fnv1a(spec) & 0x3FFFFFFF


# States of /proc/net/tcp: FIN_WAIT1, FIN_WAIT2, LAST_ACK and CLOSING.
CLOSING = ("04", "05", "09", "0B")


def _proc_net(name: str) -> list[str]:
    return Path(f"/proc/thread-self/net/{name}").read_text().splitlines()[1:]


class Exits:
    """The network. `tree` holds the cgroups: a, b, c and outside of all, `elsewhere`."""

    def __init__(self, topology: Topology, tree: Tree) -> None:
        self.topology, self.tree = topology, tree
        self.services: list[tuple[socket.socket, threading.Thread]] = []
        for path in ("a", "b", "c", "a/within", "units/one/inner", "units/other", DEEPEST, "elsewhere"):
            tree.make(path)
        topology.overlay_on_loopback("ours")
        ours = topology.ours
        for version in (4, 6):
            ours.ip(f"addr add {OTHER_SOURCE[version]} dev lo nodad")
        for role in EXITS:
            self._exit(role)
        for version in (4, 6):
            plan = PLAN["ours"]
            topology.router.ip(
                f"addr add {SERVICE[version]} dev lo nodad",
                f"route add {plan.prefix[version]} via {plan.underlay[version]}",
                f"route add {OTHER_SOURCE[version]} via {plan.underlay[version]}",
            )
            ours.ip(f"route replace default via {plan.gateway[version]} dev eth0 src {plan.overlay[version]}")
        self._watch()
        for role in (*EXITS, CLEAR):
            self.serve(topology.namespaces[role], role)

    def _exit(self, role: str) -> None:
        kernel_vxlan.add_device(self.topology, role, VNI, 4)
        kernel_vxlan.add_peer(self.topology, role, "ours", self.topology.mac("ours"), 4)
        namespace = self.topology.namespaces[role]
        for version in (4, 6):
            namespace.ip(f"addr add {SERVICE[version]} dev lo nodad")
            namespace.ip(f"route add {OTHER_SOURCE[version]} dev {kernel_vxlan.DEVICE}")
            kernel_vxlan.neighbour(namespace, kernel_vxlan.DEVICE, OTHER_SOURCE[version], self.topology.mac("ours"))
        for device in ("all", kernel_vxlan.DEVICE):
            namespace.sysctl(f"net.ipv4.conf.{device}.rp_filter", 0)

    def _watch(self) -> None:
        """Counters of nftables, where the application's packets come onto the wire."""
        rules = [f"ip saddr {{ {PLAN['ours'].prefix[4]}, {OTHER_SOURCE[4]} }} counter name unencapsulated"]
        rules.append(f"ip6 saddr {{ {PLAN['ours'].prefix[6]}, {OTHER_SOURCE[6]} }} counter name unencapsulated")
        rules += [f"ip daddr {PLAN[role].underlay[4]} udp dport 4789 counter name {role}" for role in EXITS]
        names = "".join(f"counter {name} {{}}\n" for name in ("unencapsulated", *EXITS))
        chain = "\n".join(["type filter hook ingress device to-ours priority 0;", *rules])
        self.topology.router.run(["nft", f"table netdev wire {{\n{names}chain application {{\n{chain}\n}}\n}}"])

    def settled(self) -> Counter[str]:
        """`wire` once every connection that is being closed has sent its last acknowledgement.

        The connections of a test before may have been unencapsulated, and what closes them comes after it has ended.
        """

        def closed() -> bool:
            with self.topology.ours.entered():
                lines = [line for name in ("tcp", "tcp6") for line in _proc_net(name)]
            return not any(line.split()[3] in CLOSING for line in lines)

        with suppress(TimeoutError):  # an end that nobody closes sends nothing either
            until(closed, "connections of earlier tests are closed")
        return self.wire()

    def wire(self) -> Counter[str]:
        """The application's packets on the wire: unencapsulated, and by exit."""
        said = self.topology.router.run(["nft", "-j", "list", "counters", "table", "netdev", "wire"]).stdout
        found = [entry["counter"] for entry in json.loads(said)["nftables"] if "counter" in entry]
        return Counter({one["name"]: one["packets"] for one in found})

    def serve(self, namespace: Namespace, role: str, addresses: Mapping[int, str] = SERVICE) -> None:
        """Answer who it is, over TCP and UDP; send back what else comes."""
        for version, address in addresses.items():
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                made = namespace.socket(FAMILY[version], kind)
                made.bind((address, PORT))
                if kind == socket.SOCK_STREAM:
                    made.listen(16)
                work = _accept if kind == socket.SOCK_STREAM else _datagrams
                thread = threading.Thread(target=work, args=(made, role), daemon=True)
                thread.start()
                self.services.append((made, thread))

    def apply(self, bundle: Path, *options: str) -> str:
        self.bundle = bundle
        said = cli.apply(self.topology.ours, bundle, *options, uplink="eth0", tree=self.tree.path)
        self.spec = json.loads((bundle / "manifest.json").read_text())["name"]
        return said

    def plan_text(self) -> str:
        """What `encapctl plan` says, and warns of."""
        values = [word for value in ("uplink=eth0", f"tree={self.tree.path}") for word in ("--set", value)]
        done = cli.encapctl(self.topology.ours, "plan", self.bundle, *values, check=False)
        return done.stdout + (done.stderr or "")

    def counters(self) -> Counter[str]:
        return Counter({row["name"]: row["packets"] for row in cli.stats(self.topology.ours, self.bundle)})

    def close(self) -> None:
        """Let each thread end before its descriptor is another's: what a signal interrupts asks for it again."""
        for made, thread in self.services:
            with suppress(OSError):  # "not connected", and yet it wakes who waits
                made.shutdown(socket.SHUT_RDWR)
            thread.join(ARRIVES)
            made.close()

    @contextmanager
    def inside(self, cgroup: str) -> Iterator[None]:
        """Within the block this process is in a cgroup of the tree: what makes a socket decides where it belongs."""
        self.tree.join(cgroup, os.getpid())
        try:
            yield
        finally:
            (mount() / "cgroup.procs").write_text(f"{os.getpid()}\n")

    def socket(self, cgroup: str, version: int, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> socket.socket:
        """A socket of `ours` that was made in a cgroup."""
        with self.inside(cgroup):
            made = self.topology.ours.socket(FAMILY[version], kind, protocol)
        made.settimeout(ARRIVES)
        return made

    def choose(self, chooser: socket.socket, name: str | bytes) -> None:
        text = name.encode() if isinstance(name, str) else name
        chooser.setsockopt(level(self.spec), CHOOSE, text)

    def status(self, of: socket.socket) -> Status:
        *numbers, name = STATUS_LAYOUT.unpack(of.getsockopt(level(self.spec), STATUS, STATUS_LAYOUT.size))
        return Status(*numbers, name.rstrip(b"\0").decode())


def ask(connection: socket.socket) -> str:
    """Who is at the other end."""
    connection.sendall(WHO)
    return connection.recv(64).decode()


def ask_datagram(asking: socket.socket, version: int) -> str:
    address = SERVICE[version]
    if asking.family == socket.AF_INET6 and version == 4:
        address = f"::ffff:{address}"
    asking.sendto(WHO, (address, PORT))
    return asking.recv(64).decode()


def _accept(listener: socket.socket, role: str) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection, role), daemon=True).start()


def _answer(connection: socket.socket, role: str) -> None:
    with connection:
        try:
            while data := connection.recv(1 << 16):
                if data == CLOSE:
                    return
                connection.sendall(role.encode() if data == WHO else data)
        except OSError:
            return


def _datagrams(server: socket.socket, role: str) -> None:
    while True:
        try:
            data, sender = server.recvfrom(1 << 16)
            if sender is None:  # shut down
                return
            server.sendto(role.encode() if data == WHO else data, sender)
        except OSError:
            return
