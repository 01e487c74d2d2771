"""apply and remove of a route device, killed before every call that changes something, while a sender keeps sending.

What counts is the wire: nothing for the inside leaves unencapsulated, by the uplink or by any other device.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from encap_compile.run.loader.bundle import load_manifest
from encap_compile.run.loader.closing import close
from tests.netns.killing import MOST, Runs, runs
from tests.netns.loader_net import ATTACH, INSIDE
from tests.netns.route_bundle import RouteWire, route_wire, write
from tests.support.sweep import sampled

pytestmark = pytest.mark.kernel
ROWS = ({INSIDE: "192.0.2.2", "10.1.0.7": "192.0.2.2"}, {INSIDE: "192.0.2.2", "10.1.2.0": "192.0.2.2"})
SENDER = f"""
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("ready", flush=True)
while True:
    try:
        sock.sendto(b"x" * 22, ("{INSIDE}", 7))
    except OSError:
        pass
    time.sleep(0.001)
"""


@pytest.fixture
def net() -> Iterator[RouteWire]:
    with route_wire() as made:
        yield made


@contextmanager
def sending(net: RouteWire) -> Iterator[None]:
    """A datagram each millisecond, whatever becomes of it."""
    process = net.ours.popen([sys.executable, "-c", SENDER], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.wait()


def look(net: RouteWire, point: int, open_: bool = True) -> None:
    """Packets arrive encapsulated; where it need not be `open_`, the kernel may refuse them instead."""
    refused, encapsulated, unencapsulated = net.try_to_send(5)
    assert unencapsulated == 0 and refused + encapsulated >= 5, point  # beside those of the sender
    assert not (open_ and refused), point


def kill_everywhere(net: RouteWire, run: Runs, bundles: list[Path], attach: str, step: int) -> int:
    """Apply one bundle over the other, killed at each point in turn; the last point. Nothing leaves unencapsulated."""
    _, before = net.arrived()
    for point in range(1, MOST, step):
        killed = run.killed_at(point, "apply", bundles[point // step % 2], "--set", "uplink=eth0", "--attach", attach)
        look(net, point)
        run.apply(bundles[point // step % 2], "--attach", attach)
        look(net, point)
        assert net.arrived()[1] == before, point
        if not killed:
            return point
    raise AssertionError("it never came to its end")


@sampled("step", some=7, all=1)
@pytest.mark.parametrize("attach", ATTACH)
def test_one_over_the_other(net: RouteWire, tmp_path: Path, attach: str, step: int) -> None:
    """Programs, rows and routes change."""
    bundles = [write(tmp_path / str(i), rows=rows, salt=str(i), table=True) for i, rows in enumerate(ROWS)]
    with runs(net.ours, tmp_path) as run, sending(net):
        run.apply(bundles[0], "--attach", attach)
        assert kill_everywhere(net, run, bundles, attach, step) > 30
        net.ctl("remove", "hand", check=0)
    assert net.left() == []


@sampled("step", some=11, all=1)
@pytest.mark.parametrize("device", ["encap0", "encap1"])
def test_one_takes_over(net: RouteWire, tmp_path: Path, device: str, step: int) -> None:
    """From a bundle of another name, with the same device or with another one."""
    names = ("hand", "other")
    bundles = [
        write(tmp_path / name, name=name, device=of, salt=name)
        for name, of in zip(names, ("encap0", device), strict=True)
    ]
    with runs(net.ours, tmp_path) as run, sending(net):
        run.apply(bundles[0])
        _, before = net.arrived()
        for at, point in enumerate(range(1, MOST, step)):
            former, bundle = names[at % 2], bundles[1 - at % 2]
            killed = run.killed_at(point, "apply", bundle, "--set", "uplink=eth0", "--replace", former)
            look(net, point)
            run.apply(bundle, *(["--replace", former] if killed else []))
            look(net, point)
            assert net.arrived()[1] == before, point
            if not killed:
                assert point > 30
                break
        else:
            raise AssertionError("it never came to its end")
        net.ctl("remove", names[1 - at % 2], check=0)
    assert net.left() == []


@sampled("step", some=7, all=1)
@pytest.mark.parametrize("attach", ATTACH)
def test_the_first_one_where_prefixes_are_closed(net: RouteWire, tmp_path: Path, attach: str, step: int) -> None:
    """From the boot on, without a moment in which they are open."""
    bundle = write(tmp_path / "one", boot="closed")
    with runs(net.ours, tmp_path) as run:
        for point in range(1, MOST, step):
            with net.here():
                close(load_manifest(bundle))
            assert net.try_to_send(5) == (5, 0, 0)
            with sending(net):
                _, before = net.arrived()
                killed = run.killed_at(point, "apply", bundle, "--set", "uplink=eth0", "--attach", attach)
                look(net, point, open_=False)
                run.apply(bundle)
                look(net, point)
                assert net.arrived()[1] == before, point
            run.run(0, "remove", "hand")
            assert net.left() == [], point
            if not killed:
                assert point > 30
                return
    raise AssertionError("it never came to its end")


@sampled("step", some=7, all=1)
@pytest.mark.parametrize("attach", ATTACH)
def test_remove(net: RouteWire, tmp_path: Path, attach: str, step: int) -> None:
    """As long as the attached device encapsulates, nothing leaves otherwise; the next apply or remove goes on."""
    net.ours.ip("route add 10.1.0.0/16 via 192.0.2.2 dev eth0 mtu 1400")
    bundle = write(tmp_path / "one")
    with runs(net.ours, tmp_path) as run:
        for point in range(1, MOST, step):
            run.apply(bundle, "--attach", attach)
            with sending(net):
                _, before = net.arrived()
                killed = run.killed_at(point, "remove", "hand")
                filters = net.ours.run(["tc", "filter", "show", "dev", "eth0", "egress"], check=False).stdout
                if net.hook("egress") or "encap" in filters:
                    look(net, point)
                    assert net.arrived()[1] == before, point
            if killed and point % 2:
                run.apply(bundle, "--attach", attach)
                look(net, point)
            code = run.run(0, "remove", "hand")
            assert code == 0 or not killed or net.left() == [], point
            assert net.left() == [], point
            if not killed:
                assert point > 25
                return
    raise AssertionError("it never came to its end")


def test_the_capture_sees_what_is_left_out(net: RouteWire, tmp_path: Path) -> None:
    """Without the unreachable routes a device that is deleted opens its prefixes: the packets are seen to leave."""
    bundle = write(tmp_path / "one")
    net.apply(bundle)
    net.ours.ip("link del encap0")
    assert net.try_to_send() == (20, 0, 0)
    table = next(line.split()[-3] for line in net.routes().splitlines() if line.startswith("90:"))
    net.ours.ip(f"route del unreachable 10.1.0.0/16 table {table}")
    assert net.try_to_send() == (0, 0, 20)


def test_the_time_that_a_kill_takes_is_not_what_is_measured(net: RouteWire, tmp_path: Path) -> None:
    """The sender really sends meanwhile."""
    net.apply(write(tmp_path / "one"))
    with sending(net):
        before = net.arrived()[0]
        time.sleep(0.5)
        assert net.arrived()[0] - before > 50
