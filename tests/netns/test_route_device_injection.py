"""Nothing comes in by the route device: what the wire sends to its UDP port reaches no socket of this machine.

The inner packets are made by hand, so that no tunnel device of the sender's has a say in what is sent.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from encap_compile.run.apply import apply
from encap_compile.run.kernel import tunnel_devices
from encap_compile.run.kernel.system import kernel_version
from encap_compile.run.loader.desired import Request
from tests.netns.loader_net import ATTACH
from tests.netns.route_bundle import RouteWire, route_wire, write

pytestmark = pytest.mark.kernel
OURS = {4: "192.0.2.1", 6: "2001:db8::1"}
VNIS = (0, 1, 42, 4095, 4096, 0x800000, 0xFFFFFE, 0xFFFFFF)
FLAGS = (0x08, 0x00, 0x88, 0x0C, 0x48, 0xFF)  # as it should be; no VNI; group policy; a next protocol; all


@pytest.fixture
def net() -> Iterator[RouteWire]:
    with route_wire() as made:
        made.ours.ip("addr add 2001:db8::1/64 dev eth0")
        made.peer.ip("addr add 2001:db8::2/64 dev eth0")
        yield made


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def inner(version: int, mac: bytes, port: int) -> bytes:
    """A frame with a UDP packet to an address of ours, from somewhere inside."""
    frame = mac + bytes.fromhex("020000000009") + (b"\x08\x00" if version == 4 else b"\x86\xdd")
    if version == 4:
        source, target = socket.inet_aton("10.1.0.99"), socket.inet_aton(OURS[4])
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + 8 + 4, 1, 0, 64, 17, 0) + source + target
        head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
        return frame + head + struct.pack(">HHHH", 7, port, 12, 0) + b"open"
    source, target = (socket.inet_pton(socket.AF_INET6, a) for a in ("2001:db8:1::9", OURS[6]))
    data = struct.pack(">HHHH", 7, port, 12, 0) + b"open"
    pseudo = source + target + struct.pack(">II", 12, 17)
    data = data[:6] + struct.pack(">H", checksum(pseudo + data)) + data[8:]
    return frame + struct.pack(">IHBB", 0x60000000, 12, 17, 64) + source + target + data


def inject(net: RouteWire, vnis: tuple[int, ...] = VNIS, flags: tuple[int, ...] = FLAGS) -> tuple[int, int]:
    """How many packets were sent to the device's port, and how many of these reached sockets of ours."""
    (shown,) = json.loads(net.ours.run(["ip", "-d", "-j", "link", "show", "encap0"]).stdout)
    port, mac = shown["linkinfo"]["info_data"]["port"], bytes.fromhex(shown["address"].replace(":", ""))
    sent = arrived = 0
    families = {4: socket.AF_INET, 6: socket.AF_INET6}
    with net.ours.socket(socket.AF_INET6, socket.SOCK_DGRAM) as listening:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(("::", 7777))
        listening.settimeout(0.2)
        for outer in (4, 6):
            with net.peer.socket(families[outer], socket.SOCK_DGRAM) as sender:
                for version in (4, 6):
                    for flag in flags:
                        for vni in vnis:
                            head = struct.pack(">BBHI", flag, 0, 0, vni << 8)
                            sender.sendto(head + inner(version, mac, 7777), (OURS[outer], port))
                            sent += 1
        try:
            while listening.recv(100):
                arrived += 1
        except TimeoutError:
            pass
    return sent, arrived


def applied(net: RouteWire, folder: Path, attach: str, vnifilter: bool) -> None:
    bundle = write(folder / "one", prefixes=("10.1.0.0/16", "2001:db8:1::/48"))
    since = (5, 18) if vnifilter else (99, 0)
    with net.here(), mock.patch.object(tunnel_devices, "VNIFILTER_SINCE", since):
        apply(Request(bundle, settings=["uplink=eth0"], attach=attach))


@pytest.mark.parametrize("attach", ATTACH)
@pytest.mark.parametrize("vnifilter", [True, False])
def test_nothing_comes_in(net: RouteWire, tmp_path: Path, attach: str, vnifilter: bool) -> None:
    """With a filter of VNIs, and where the program at its ingress alone keeps them out."""
    applied(net, tmp_path, attach, vnifilter)
    (found,) = tunnel_devices_of(net)
    assert found.vnifilter is (vnifilter and kernel_version() >= (5, 18))
    sent, arrived = inject(net)
    assert sent == 2 * 2 * len(VNIS) * len(FLAGS) and arrived == 0


def test_it_would_without_the_program(net: RouteWire, tmp_path: Path) -> None:
    """The packets are such that an unguarded device gives to the socket, so what is tested above can fail."""
    applied(net, tmp_path, "clsact", False)
    net.ours.run(["tc", "filter", "del", "dev", "encap0", "ingress"])
    sent, arrived = inject(net, (42,), (0x08,))
    assert (sent, arrived) == (4, 4)


def tunnel_devices_of(net: RouteWire) -> list[tunnel_devices.TunnelDevice]:
    with net.here():
        return tunnel_devices.tunnel_devices()
