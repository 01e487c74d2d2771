"""The device that switches the kernel's GRO on for received tunnel packets: that it merges, and lets nothing in."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from encap_compile.run.kernel import tunnel_devices
from encap_compile.run.kernel.guard import is_guarded
from tests.support import cli, kernel_vxlan
from tests.support.merged import bytes_per_packet
from tests.support.overlay import Overlay, edited_example
from tests.support.topology import PLAN, Topology

from .conftest import Compiled

pytestmark = pytest.mark.kernel
GRO = ("ingress:\n", "receive: {gro: device}\ningress:\n")
LEAST = 0.9  # of what the kernel's own device delivers in one packet


@pytest.fixture(params=[4, 6], ids="outer{}".format)
def topology(request: pytest.FixtureRequest) -> Iterator[tuple[Topology, int]]:
    with Topology(offloads="software") as made:
        yield made, request.param


def devices(topology: Topology) -> list[tunnel_devices.TunnelDevice]:
    with topology.ours.entered():
        return tunnel_devices.tunnel_devices()


def test_merges_as_the_kernels_device(topology: tuple[Topology, int], compiled: Compiled) -> None:
    network, outer = topology
    inner = 10 - outer
    near, ours = network.host("near", inner), network.host("ours", inner)
    kernel_vxlan.connect(network, "near", "ours", 42, outer)
    device = bytes_per_packet(near, ours, outer)
    network.ours.ip(f"link del {kernel_vxlan.DEVICE}")
    network.near.ip(f"link del {kernel_vxlan.DEVICE}")
    overlay = Overlay(network, outer)
    overlay.apply(compiled())
    alone = bytes_per_packet(near, ours, outer)
    overlay.apply(compiled(GRO))
    merged = bytes_per_packet(near, ours, outer)
    print(f"outer IPv{outer}: device {device:.0f}, without {alone:.0f}, with {merged:.0f} bytes a packet")
    assert alone < 1500
    assert merged > LEAST * device
