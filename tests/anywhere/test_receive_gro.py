"""What is decapsulated comes in packets as large as behind the kernel's own device, and nothing comes by the device
that merges it. The wire carries single segments."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from encap_compile.run.kernel import tunnel_devices
from encap_compile.run.kernel.libbpf import libbpf
from encap_compile.run.kernel.system import kernel_version
from tests.support import cli, kernel_tunnels
from tests.support.balancers import CLIENTS, ENCAPSULATIONS, VIP, VNI, Server
from tests.support.injected import PORTS, injected
from tests.support.links import neighbour
from tests.support.merged import bytes_per_packet
from tests.support.topology import PLAN, Topology
from tests.support.traffic import Host

from .bundles import MERGED, RETURN, bundle, encapsulations

pytestmark = pytest.mark.kernel
# Of what the kernel's own device delivers in one packet. How many segments meet in one poll is a matter of time: in
# guests without KVM 0.69 to 1.1 in single runs, since a receiver that is done earlier polls more often. Without GRO
# it is 0.04.
LEAST = 0.6
NAPI_SINCE = (5, 13)  # a veth merges without an XDP program
BPF_PROG_TYPE_XDP = 6
DEVICE = "base"
MACS = {"near": "02:00:00:00:01:00"}
MERGING = [name for name in ("vxlan", "geneve", "gre") if name in encapsulations()]


@pytest.fixture(scope="module", params=[4, 6], ids=["over ipv4", "over ipv6"])
def network(request: pytest.FixtureRequest) -> Iterator[tuple[Topology, int]]:
    with Topology(offloads="software") as topology:
        if kernel_version() < NAPI_SINCE:
            _receive_by_napi(topology)
        yield topology, request.param


def _receive_by_napi(topology: Topology) -> None:
    """An XDP program that passes everything: with one, also an older kernel's veth receives as a network card does."""
    instructions = struct.pack("=BBhi", 0xB7, 0, 0, 2) + struct.pack("=BBhi", 0x95, 0, 0, 0)  # return XDP_PASS
    program = libbpf().bpf_prog_load(BPF_PROG_TYPE_XDP, b"passes", b"GPL", instructions, 2, None)
    pin = topology.ours.bpffs() / "passes"
    libbpf().bpf_obj_pin(program, str(pin).encode())
    with topology.ours.entered():
        subprocess.run(["ip", "link", "set", "dev", "eth0", "xdp", "pinned", str(pin)], check=True)


def _kernels_device(topology: Topology, encapsulation: str, outer: int, inner: int) -> float:
    """What the kernel's own device on ours delivers in one packet."""
    kind = ENCAPSULATIONS[encapsulation].types[outer][0]
    words = kernel_tunnels.TYPE[kind].format(
        key=VNI, local=PLAN["ours"].underlay[outer], remote=PLAN["near"].underlay[outer]
    )
    framed = ENCAPSULATIONS[encapsulation].framed
    client = CLIENTS["near"][inner]
    address = f"address {topology.mac('ours')} " if framed else ""
    topology.ours.ip(
        f"link add {DEVICE} {address}type {words}",
        f"link set {DEVICE} mtu 1400 addrgenmode none up",
        f"route add {client} dev {DEVICE} src {VIP[inner]}",
    )
    topology.ours.sysctl(f"net/ipv4/conf/{DEVICE}/rp_filter", 0)
    if framed:
        neighbour(topology.ours, DEVICE, client, MACS["near"])
    return _measured(topology, outer, inner)


def _measured(topology: Topology, outer: int, inner: int) -> float:

    source, destination = Host(topology.near, CLIENTS["near"][inner]), Host(topology.ours, VIP[inner])
    # How many segments meet in one poll is a matter of time on a slow machine: what can be, counts.
    return max(bytes_per_packet(source, destination, outer, port=port) for port in (7300, 7301, 7302))


@pytest.mark.parametrize("encapsulation", MERGING)
def test_merged(network: tuple[Topology, int], encapsulation: str, tmp_path: Path) -> None:
    """Packets as large as those of the kernel's own device"""
    topology, outer = network
    inner = 10 - outer
    server = Server(topology, outer, encapsulation)
    try:
        device = _kernels_device(topology, encapsulation, outer, inner)
        topology.ours.ip(f"link del {DEVICE}")
        server.bundle = bundle(MERGED if ENCAPSULATIONS[encapsulation].framed else RETURN[encapsulation], tmp_path)
        said = cli.encapctl(topology.ours, "apply", server.bundle, "--set", "uplink=eth0")
        merged = _measured(topology, outer, inner)
        assert merged > LEAST * device, (merged, device, said.stderr)
    finally:
        server.close()


@pytest.mark.parametrize("kind", [name for name in ("vxlan", "geneve") if name in encapsulations()])
def test_nothing_comes_in(kind: str, tmp_path: Path) -> None:
    """Nothing comes by the device, whatever is sent to its port"""
    with Topology(uplinks=2) as topology:
        topology.overlay_on_loopback("ours")
        cli.encapctl(topology.ours, "apply", bundle(MERGED, tmp_path), "--set", "uplink=eth0")
        with topology.ours.entered():
            (made,) = (d for d in tunnel_devices.tunnel_devices() if d.kind == kind)
        assert made.up and made.port == PORTS[kind]
        sent, arrived = injected(topology, kind, made.mac.hex(":"))
        assert (sent, arrived) == (576, 0)
        # Without what keeps it out, which by vnifilter is more than a program, all the same is delivered.
        topology.ours.ip(f"link del {made.name}", f"link add {made.name} type {kind} external dstport {made.port}")
        topology.ours.ip(f"link set {made.name} address {made.mac.hex(':')} up")
        sent, arrived = injected(topology, kind, made.mac.hex(":"))
        assert arrived > 0
