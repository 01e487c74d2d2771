"""TCP through stacks of many headers, against a tunnel endpoint by scapy that compares every byte of every segment.

The kernel cuts GSO packets after the program has encapsulated them, so what leaves shows whether it was told right.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packets.stacks import Stack
from tests.support import cli, scapy_peer
from tests.support.topology import PLAN, Topology
from tests.support.traffic import bulk_tcp, ping, udp_echo

pytestmark = pytest.mark.kernel

SEGMENTED = (
    ("udp", "gue", "gre"),
    ("udp", "gue", "gre+key", "ethernet"),
    ("gre+key", "ethernet"),
    ("gre", "ethernet", "ethernet"),
    ("udp", "vxlan", "ethernet", "ethernet", "ethernet"),
    ("udp", "geneve+options", "ethernet", "ethernet"),
    ("udp", "gue+bare"),
)
NESTED = ("udp", "gue", "udp", "vxlan", "ethernet")
MTU = 1350


def _tunnel_endpoint(stack: Stack, outer: int) -> tuple[scapy_peer.Wrap, scapy_peer.Unwrap]:
    """What the peer sends, and how it checks what it receives."""
    ends = str(PLAN["ours"].underlay[outer]), str(PLAN["far"].underlay[outer])

    def unwrap(packet: bytes, finished: bool) -> bytes:
        overhead = len(stack.by_scapy(bytes([0x45, *bytes(19)]), outer, 0)) - 20
        inner = packet[overhead:]
        at = 20 if outer == 4 else 40
        port = int.from_bytes(packet[at : at + 2], "big") if "udp" in stack.names else 0
        id_ = int.from_bytes(packet[4:6], "big") if outer == 4 else 0
        if packet != stack.by_scapy(inner, outer, port, ends=ends, id=id_, ttl=63):
            raise ValueError(f"other headers: {packet[:overhead].hex()}")
        return scapy_peer.check_inner(inner, finished)

    return lambda inner: stack.by_scapy(inner, outer, 50000, back=True, ends=ends), unwrap


def _apply(topology: Topology, stack: Stack, folder: Path, outer: int) -> Path:
    spec = folder / "made.yaml"
    spec.write_text(stack.spec().replace("default: pass", "default: pass, next_hop: route"))
    bundle, _ = cli.compile_spec(spec, folder / "build")
    rows = folder / "peers.csv"
    to = PLAN["far"].underlay[outer]
    mac = "02:00:00:00:00:02"
    rows.write_text("destination,to,mac\n" + "".join(f"{PLAN['far'].prefix[v]},{to},{mac}\n" for v in (4, 6)))
    topology.overlay_on_loopback("ours")
    topology.route_overlay("ours", "far", direct=False, mtu=MTU)
    cli.apply(topology.ours, bundle, "--rows", f"peers={rows}", uplink="eth0")
    return bundle


def _counted(topology: Topology, bundle: Path) -> dict[str, int]:
    return {row["name"]: row["packets"] for row in cli.stats(topology.ours, bundle)}


@pytest.mark.parametrize("offloads", ["software", "off"])
@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("names", SEGMENTED, ids="-".join)
def test_segments_are_right(tmp_path: Path, names: tuple[str, ...], outer: int, offloads: str) -> None:
    stack = Stack(f"ipv{outer}", names)
    with Topology(offloads=offloads) as topology:
        bundle = _apply(topology, stack, tmp_path, outer)
        with scapy_peer.ScapyPeer(topology, "far", outer, *_tunnel_endpoint(stack, outer)) as peer:
            for inner in (4, 6):
                ours, theirs = topology.host("ours", inner), topology.host("far", inner)
                assert ping(ours, theirs, count=2)
                assert udp_echo(ours, theirs)
                assert bulk_tcp(ours, theirs, size=40_000)
            report = peer.stop()
        assert report.refused == []
        assert report.accepted > 40
        counted = _counted(topology, bundle)
        assert not [name for name, packets in counted.items() if packets and name.startswith("refused_")]
        assert counted["egress_no_headroom"] == 0


@pytest.mark.parametrize("outer", [4, 6])
def test_gso_packets_are_dropped_where_segments_would_be_wrong(tmp_path: Path, outer: int) -> None:
    """UDP in UDP: nothing wrong ever leaves, and with `gso_max_segs 1` nothing is dropped."""
    stack = Stack(f"ipv{outer}", NESTED)
    with Topology(offloads="software") as topology:
        bundle = _apply(topology, stack, tmp_path, outer)
        with scapy_peer.ScapyPeer(topology, "far", outer, *_tunnel_endpoint(stack, outer)) as peer:
            ours, theirs = topology.host("ours", 4), topology.host("far", 4)
            assert udp_echo(ours, theirs)
            assert not bulk_tcp(ours, theirs, size=400_000, timeout=2)
            dropped = _counted(topology, bundle)["egress_gso"]
            assert dropped > 0
            plan = "plan", bundle, "--set", "uplink=eth0", "--rows", f"peers={tmp_path / 'peers.csv'}"
            assert "H170" in cli.encapctl(topology.ours, *plan, check=False).stderr
            topology.ours.ip("link set eth0 gso_max_segs 1")
            assert "H170" not in cli.encapctl(topology.ours, *plan, check=False).stderr
            for inner in (4, 6):
                ours, theirs = topology.host("ours", inner), topology.host("far", inner)
                assert bulk_tcp(ours, theirs, size=40_000, port=7100)
            assert peer.stop().refused == []
