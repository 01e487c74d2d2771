"""Route device: what is routed to it leaves encapsulated; down or deleted it is unreachable; nothing comes in by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns.route_bundle import RouteWire, route_wire, write
from tests.netns.test_route_device_injection import inject

pytestmark = pytest.mark.kernel


@pytest.fixture
def net() -> Iterator[RouteWire]:
    with route_wire() as made:
        yield made


def test_made_opened_closed_and_taken_away(net: RouteWire, tmp_path: Path) -> None:
    """What is routed to the device leaves encapsulated; with the device down or deleted it is unreachable."""
    bundle = write(tmp_path / "one", prefixes=("10.1.0.0/16", "2001:db8:1::/48"))
    assert net.try_to_send() == (0, 0, 20)
    net.apply(bundle)
    assert net.try_to_send() == (0, 20, 0)
    net.ctl("status", "hand", check=0)
    for command in ("link set encap0 down", "link del encap0"):
        net.ours.ip(command)
        assert net.try_to_send() == (20, 0, 0), command
        six = net.ours.run(["ip", "-6", "route", "get", "2001:db8:1::7"], check=False)
        assert "encap0" not in six.stdout and "out" not in six.stdout, command
        net.apply(bundle)
        assert net.try_to_send() == (0, 20, 0), command
    net.apply(write(tmp_path / "two", salt="two"))
    assert net.try_to_send() == (0, 20, 0)
    net.ctl("remove", "hand", check=0)
    assert net.try_to_send() == (0, 0, 20)
    assert net.left() == []


def test_nothing_comes_in(net: RouteWire, tmp_path: Path) -> None:
    """The program at its ingress keeps out what a kernel without a filter of VNIs (before 5.18) would let in."""
    net.ours.ip("addr add 2001:db8::1/64 dev eth0")
    net.peer.ip("addr add 2001:db8::2/64 dev eth0")
    net.apply(write(tmp_path / "one"), "--attach", "clsact")
    sent, arrived = inject(net, (0, 42, 0xFFFFFF), (0x08, 0x00, 0x88))
    assert sent == 36 and arrived == 0
    net.ours.run(["tc", "filter", "del", "dev", "encap0", "ingress"])
    sent, arrived = inject(net, (42,), (0x08,))
    filtered = "vnifilter" in net.ours.run(["ip", "-d", "link", "show", "encap0"]).stdout
    assert (sent, arrived) == (4, 0 if filtered else 4)
