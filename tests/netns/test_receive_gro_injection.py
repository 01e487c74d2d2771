"""Nothing comes in by the device for GRO: all that can be sent to its port, by a device without a program of ours."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest

from encap_compile.common.diagnostics import Findings
from encap_compile.common.manifest_io import load
from encap_compile.run.kernel import tunnel_devices
from encap_compile.run.kernel.guard import guard
from encap_compile.run.loader import gro
from tests.support.injected import injected
from tests.support.overlay import Overlay
from tests.support.topology import Topology

from .conftest import Compiled
from .test_receive_gro import GRO

pytestmark = pytest.mark.kernel
NAME = "idle"


@pytest.fixture
def network() -> Iterator[Topology]:
    """`eth1` has no program of ours: what comes by it reaches the port's socket."""
    with Topology(uplinks=2) as made:
        yield made


def arrived(network: Topology, name: str) -> int:
    """Send all kinds by eth1, one datagram each; how many arrive in local sockets."""
    return injected(network, tunnel_devices.VXLAN, tunnel_devices_of(network)[name].mac.hex(":"))[1]


def tunnel_devices_of(network: Topology) -> dict[str, tunnel_devices.TunnelDevice]:
    with network.ours.entered():
        return {d.name: d for d in tunnel_devices.tunnel_devices()}


def make_by_hand(network: Topology, guarded: bool) -> None:
    """As before Linux 5.18, where no VXLAN device has `vnifilter`."""
    network.overlay_on_loopback("ours")
    with network.ours.entered(), mock.patch.object(tunnel_devices, "VNIFILTER_SINCE", (99, 0)):
        made = tunnel_devices.make_external(NAME, tunnel_devices.VXLAN, 4789, "encap: of a test")
        assert not made.vnifilter
        if guarded:
            guard(made.index)
        tunnel_devices.set_up(made.index)


def test_what_apply_makes(network: Topology, compiled: Compiled) -> None:
    overlay = Overlay(network, 4)
    overlay.apply(compiled(GRO))
    (name,) = tunnel_devices_of(network)
    assert arrived(network, name) == 0


def test_without_its_program(network: Topology, compiled: Compiled) -> None:
    """Where the kernel has `vnifilter`, that alone lets nothing in."""
    Overlay(network, 4).apply(compiled(GRO))
    ((name, made),) = tunnel_devices_of(network).items()
    if not made.vnifilter:
        pytest.skip("before Linux 5.18")
    network.ours.run(["tc", "qdisc", "del", "dev", name, "clsact"])
    assert arrived(network, name) == 0


def test_guarded_as_before_vnifilter(network: Topology, compiled: Compiled) -> None:
    """What apply makes on such a kernel."""
    network.overlay_on_loopback("ours")
    manifest = load(compiled(GRO) / "manifest.json")
    with network.ours.entered(), mock.patch.object(tunnel_devices, "VNIFILTER_SINCE", (99, 0)):
        gro.carry_out(manifest, "", Findings())
    ((name, made),) = tunnel_devices_of(network).items()
    assert made.up and made.external and not made.vnifilter
    assert arrived(network, name) == 0


def test_an_unguarded_one_lets_anybody_in(network: Topology) -> None:
    """The negative: what is sent does arrive where nothing drops it."""
    make_by_hand(network, guarded=False)
    assert arrived(network, NAME) > 3


def test_a_guarded_one_by_hand(network: Topology) -> None:
    make_by_hand(network, guarded=True)
    assert arrived(network, NAME) == 0
