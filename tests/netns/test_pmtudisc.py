"""What UDP sockets see in each mode of path MTU discovery: the table in docs/mtu.md.

Datagrams of every size around the limit, by sockets of this host and of a host behind it, over both outer families: at
the bare uplink, without and with an MTU on the inner route, and through the route device. Each is sent three times: the
first may be what the sender learns from.
"""

from __future__ import annotations

import errno
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support import kernel_vxlan
from tests.support.lone_segments import LINK, host_behind, network_without_route_mtu
from tests.support.overlay import ROUTE_DEVICE, Overlay, pass_to_ours
from tests.support.topology import Topology
from tests.support.traffic import Host

from .conftest import Compiled

pytestmark = pytest.mark.kernel

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mtu.md"
# include/uapi/linux/in.h and in6.h: the same numbers for IP_MTU_DISCOVER and IPV6_MTU_DISCOVER
MODES = {"DONT": 0, "WANT": 1, "DO": 2, "PROBE": 3, "INTERFACE": 4, "OMIT": 5}
OPTION = {4: (socket.IPPROTO_IP, 10), 6: (socket.IPPROTO_IPV6, 23)}
HOW = ("uplink", "route mtu", "route device")
HEADERS = {4: 28, 6: 48}
SENT = 3
PAUSE, WAIT = 0.02, 0.5  # seconds: for the answer to the one before; for what is late
# What three datagrams of one size met, and what the table calls it.
WORDS: dict[tuple[str, ...], str] = {
    ("arrived", "arrived", "arrived"): "arrive",
    ("lost", "arrived", "arrived"): "learn",
    ("lost", "lost", "lost"): "**lost**",
    ("lost", "refused", "refused"): "lost, `EMSGSIZE`",
    ("refused", "refused", "refused"): "`EMSGSIZE`",
}


def met(source: Host, destination: Host, mode: int, length: int, version: int) -> tuple[str, ...]:
    """What becomes of datagrams of an inner packet's length. Late is not lost, so all are waited for at the end."""
    size = length - HEADERS[version]
    found: dict[int, str] = {}
    with (
        destination.namespace.socket(destination.family, socket.SOCK_DGRAM) as server,
        source.namespace.socket(source.family, socket.SOCK_DGRAM) as client,
    ):
        server.bind((destination.address, 7400))
        server.settimeout(WAIT)
        client.bind((source.address, 0))
        client.setsockopt(*OPTION[version], mode)
        for number in range(SENT):
            try:
                client.sendto(bytes([number]) * size, (destination.address, 7400))
            except OSError as error:
                assert error.errno == errno.EMSGSIZE, error
                found[number] = "refused"
            time.sleep(PAUSE)
        while len(found) < SENT:
            try:
                data = server.recv(65536)
            except TimeoutError:
                break
            found[data[0]] = "arrived" if data == data[:1] * size else "cut"
    return tuple(found.get(number, "lost") for number in range(SENT))


def forget(*hosts: Host) -> None:
    """What was learned of paths."""
    for host in hosts:
        for family in ("-4", "-6"):
            host.namespace.run(["ip", family, "route", "flush", "cache"])


def table() -> dict[tuple[str, int, str], str]:
    """What the page says: by mode, IP version and column."""
    rows = re.findall(r"^\| `(\w+)` \| IPv([46]) \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    columns = [f"{way}, {how}" for way in ("local", "forwarded") for how in HOW]
    return {
        (mode, int(version), column): cell
        for mode, version, cells in rows
        for column, cell in zip(columns, cells.split(" | "), strict=True)
    }


@contextmanager
def sender(overlay: Overlay, inner: int, way: str) -> Iterator[Host]:
    with ExitStack() as stack:
        yield (
            overlay.topology.host("ours", inner) if way == "local" else stack.enter_context(host_behind(overlay, inner))
        )


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("outer", [4, 6], ids="outer{}".format)
def test_what_each_mode_sees(compiled: Compiled, outer: int, how: str) -> None:
    expected = table()
    device = how == "route device"
    with Topology(offloads="off") as topology:
        overlay = network_without_route_mtu(topology, outer)
        # The device leaves headroom for the largest headers that a row may take.
        fits = LINK - kernel_vxlan.OVERHEAD[6 if device else outer]
        if how == "route mtu":
            for role in ("far", "near"):
                topology.route_overlay("ours", role, direct=False, mtu=fits)
        overlay.apply(compiled(*((ROUTE_DEVICE, pass_to_ours(4, 6)) if device else ())))
        found: dict[tuple[str, int, str], set[str]] = {}
        for inner in (4, 6):
            far = topology.host("far", inner)
            for way in ("local", "forwarded"):
                with sender(overlay, inner, way) as source:
                    for name, mode in MODES.items():
                        for length in (fits - 1, fits):
                            assert set(met(source, far, mode, length, inner)) == {"arrived"}, (name, way, inner, length)
                        for length in (fits + 1, LINK):
                            forget(source, topology.host("ours", inner))
                            outcome = met(source, far, mode, length, inner)
                            found.setdefault((name, inner, f"{way}, {how}"), set()).add(
                                WORDS.get(outcome, str(outcome))
                            )
        overlay.remove()
    shown = {key: " / ".join(sorted(words)) for key, words in found.items()}
    assert shown == {key: cell for key, cell in expected.items() if key in shown}
    assert len(shown) == len(MODES) * 2 * 2


@pytest.mark.parametrize("inner", [4, 6])
def test_a_connected_socket_that_probes_is_told(compiled: Compiled, inner: int) -> None:
    """It keeps its size, as PROBE asks for, but the next call says what the answer said."""
    with Topology(offloads="off") as topology:
        overlay = network_without_route_mtu(topology, 4)
        overlay.apply(compiled())
        ours, far = topology.host("ours", inner), topology.host("far", inner)
        with ours.namespace.socket(ours.family, socket.SOCK_DGRAM) as client:
            client.bind((ours.address, 0))
            client.setsockopt(*OPTION[inner], MODES["PROBE"])
            client.connect((far.address, 7400))
            client.send(bytes(LINK - HEADERS[inner]))
            with pytest.raises(OSError, match="Message too long"):
                client.send(b"small")
        assert overlay.counters()["egress_answered"] == 1
        overlay.remove()
