"""Short TCP connections to a server that reflects, beside a server with a vxlan device, and one without a tunnel.

The client's side is the kernel's own in every way. Interleaved rounds; what counts is the ratio within a round.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support import cli, kernel_vxlan
from tests.support.links import mac_of, neighbour, veth
from tests.support.netns import Namespace

EXAMPLE = cli.ROOT / "examples" / "vxlan-return.yaml"
CLIENT, SERVER, CLIENT_INNER, VIP = "192.0.2.20", "192.0.2.30", "198.51.100.20", "203.0.113.9"
PORT, VNI = 8080, 77
CLIENT_MAC, SERVER_MAC = "02:00:00:00:01:00", "02:00:00:00:02:00"


@dataclass(frozen=True)
class Rate:
    """Nanoseconds per connection, and connections per second relative to the vxlan device on the server."""

    text: str
    nanoseconds: float
    ratio: float


class Pair:
    """A client and a server, connected by a veth, and a listening process."""

    def __init__(self, prepare: Callable[[Pair, Path], str], program: Path, scratch: Path) -> None:
        self.client, self.server = Namespace("client"), Namespace("server")
        veth(self.client, "eth0", self.server, "eth0")
        self.client.ip(f"addr add {CLIENT}/28 dev eth0")
        self.server.ip(f"addr add {SERVER}/28 dev eth0", "route add default dev eth0")
        neighbour(self.client, "eth0", SERVER, mac_of(self.server, "eth0"))
        neighbour(self.server, "eth0", CLIENT, mac_of(self.client, "eth0"))
        self._program = program
        self._address = prepare(self, scratch)
        self._process = self.server.popen([str(program), "serve", self._address, str(PORT)], stderr=subprocess.DEVNULL)
        self.ask(1, tries=50)

    def ask(self, count: int, tries: int = 1) -> float:
        """Nanoseconds that one connection takes."""
        for left in reversed(range(tries)):
            done = self.client.run([str(self._program), "ask", self._address, str(PORT), str(count)], check=not left)
            if done.returncode == 0:
                return float(done.stdout)
        raise AssertionError("unreachable: the last try raises")


def _plain(pair: Pair, scratch: Path) -> str:
    return SERVER


def _tunnel_client(pair: Pair, server_mac: str) -> None:
    kernel_vxlan.vxlan_device(pair.client, "vx0", CLIENT_MAC, VNI, CLIENT, [CLIENT_INNER])
    kernel_vxlan.forward(pair.client, "vx0", server_mac, SERVER)
    neighbour(pair.client, "vx0", VIP, server_mac)
    pair.client.ip(f"route add {VIP} dev vx0 src {CLIENT_INNER}")
    pair.server.ip(f"addr add {VIP} dev lo")


def _vxlan_device(pair: Pair, scratch: Path) -> str:
    _tunnel_client(pair, SERVER_MAC)
    kernel_vxlan.vxlan_device(pair.server, "vx0", SERVER_MAC, VNI, SERVER, [])
    kernel_vxlan.forward(pair.server, "vx0", CLIENT_MAC, CLIENT)
    neighbour(pair.server, "vx0", CLIENT_INNER, CLIENT_MAC)
    pair.server.ip(f"route add {CLIENT_INNER} dev vx0")
    return VIP


def _reflection(pair: Pair, scratch: Path) -> str:
    _tunnel_client(pair, mac_of(pair.server, "eth0"))
    neighbour(pair.server, "eth0", CLIENT_INNER, mac_of(pair.client, "eth0"))
    bundle, _ = cli.compile_spec(EXAMPLE, scratch / pair.server.name)
    cli.apply(pair.server, bundle, uplink="eth0", address=f"{SERVER},2001:db8::30")
    return VIP


WAYS: tuple[tuple[str, Callable[[Pair, Path], str]], ...] = (
    ("no tunnel", _plain),
    ("vxlan device on the server", _vxlan_device),
    ("reflection on the server", _reflection),
)


def measure(program: Path, rounds: int, count: int, progress: Callable[[int], None]) -> list[Rate]:
    """Every way once a round; the first round warms up."""
    with tempfile.TemporaryDirectory(prefix="encap-bench-") as scratch:
        pairs = [(text, Pair(prepare, program, Path(scratch))) for text, prepare in WAYS]
        samples: dict[str, list[float]] = {text: [] for text, _ in pairs}
        for number in range(rounds + 1):
            for text, pair in pairs:
                nanoseconds = pair.ask(count)
                if number:
                    samples[text].append(nanoseconds)
            progress(number)
    device = samples[WAYS[1][0]]
    return [
        Rate(text, statistics.median(values), statistics.median(d / v for d, v in zip(device, values, strict=True)))
        for text, values in samples.items()
    ]
