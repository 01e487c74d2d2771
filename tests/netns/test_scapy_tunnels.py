"""GRE with a key and IP in IP against tunnel endpoints written with scapy, which check every header that they get."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import cli, scapy_peer
from tests.support.netns import Namespace
from tests.support.topology import PLAN, Topology
from tests.support.traffic import bulk_tcp, ping, udp_echo
from tests.support.wire import Capture

pytestmark = pytest.mark.kernel

CompiledSpec = Callable[[str], Path]
KEY = 77
MTU = 1400


def _peer(kind: str, role: str, outer: int, key: int = KEY) -> tuple[scapy_peer.Wrap, scapy_peer.Unwrap]:
    local, remote = str(PLAN[role].underlay[outer]), str(PLAN["ours"].underlay[outer])
    return scapy_peer.gre(local, remote, key) if kind == "gre" else scapy_peer.ipip(local, remote)


def _load(topology: Topology, bundle: Path, rows: Path, outer: int) -> None:
    """Apply a bundle on ours with its rows turned to the outer family of the test."""
    topology.overlay_on_loopback("ours")
    text = (Path(__file__).parent / "specs" / f"{bundle.name}-sites.csv").read_text()
    for role in ("far", "near"):
        text = text.replace(str(PLAN[role].underlay[4]), str(PLAN[role].underlay[outer]))
        topology.route_overlay("ours", role, direct=False, mtu=MTU)
    rows.write_text(text)
    cli.apply(topology.ours, bundle, "--rows", f"sites={rows}", uplink="eth0")


def _counters(namespace: Namespace, bundle: Path) -> dict[str, int]:
    return {row["name"]: row["packets"] for row in cli.stats(namespace, bundle)}


@pytest.mark.parametrize("offloads", ["software", "off"])
@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("role", ["far", "near"])
@pytest.mark.parametrize("kind", ["gre", "ipip"])
def test_both_ways(
    compiled_spec: CompiledSpec, tmp_path: Path, kind: str, role: str, outer: int, offloads: str
) -> None:
    bundle = compiled_spec(f"{kind}-peer")
    with Topology(offloads=offloads) as topology:
        _load(topology, bundle, tmp_path / "rows.csv", outer)
        with scapy_peer.ScapyPeer(topology, role, outer, *_peer(kind, role, outer)) as peer:
            for inner in (4, 6):
                ours, theirs = topology.host("ours", inner), topology.host(role, inner)
                assert ping(ours, theirs, count=2)
                assert ping(theirs, ours, count=2)
                assert udp_echo(ours, theirs)
                assert bulk_tcp(ours, theirs, size=40_000)
            report = peer.stop()
        assert report.refused == []
        assert report.accepted > 40
        counted = _counters(topology.ours, bundle)
        assert {name for name, packets in counted.items() if packets and "refused" in name} == set()


@pytest.mark.parametrize("outer", [4, 6])
def test_wrong_gre_key_is_refused(compiled_spec: CompiledSpec, tmp_path: Path, outer: int) -> None:
    bundle = compiled_spec("gre-peer")
    with Topology(offloads="off") as topology:
        _load(topology, bundle, tmp_path / "rows.csv", outer)
        with scapy_peer.ScapyPeer(topology, "far", outer, *_peer("gre", "far", outer, key=KEY + 1)):
            assert ping(topology.host("far", 4), topology.host("ours", 4), timeout=0.1).good == 0
        assert _counters(topology.ours, bundle)["refused_gre__gre_key"] == 3


def _limited(wrap: scapy_peer.Wrap) -> scapy_peer.Wrap:
    """As Linux' ip6tnl and ip6gre send it: a tunnel encapsulation limit (RFC 2473) behind the outer IPv6 header."""

    def wrapped(inner: bytes) -> bytes:
        packet = wrap(inner)
        length = int.from_bytes(packet[4:6], "big") + 8
        option = bytes((packet[6], 0, 4, 1, 4, 1, 1, 0))
        return packet[:4] + length.to_bytes(2, "big") + b"\x3c" + packet[7:40] + option + packet[40:]

    return wrapped


@pytest.mark.parametrize("offloads", ["on", "software", "off"])
@pytest.mark.parametrize("kind", ["gre", "ipip"])
def test_encapsulation_limit(compiled_spec: CompiledSpec, tmp_path: Path, kind: str, offloads: str) -> None:
    bundle = compiled_spec(f"{kind}-peer")
    with Topology(offloads=offloads) as topology:
        _load(topology, bundle, tmp_path / "rows.csv", 6)
        wrap, unwrap = _peer(kind, "far", 6)
        with scapy_peer.ScapyPeer(topology, "far", 6, _limited(wrap), unwrap) as peer:
            for inner in (4, 6):
                ours, theirs = topology.host("ours", inner), topology.host("far", inner)
                assert ping(ours, theirs, count=2)
                assert ping(theirs, ours, count=2)
                assert udp_echo(ours, theirs)
                assert bulk_tcp(ours, theirs, size=40_000)
            assert peer.stop().refused == []
        counted = _counters(topology.ours, bundle)
        assert counted["ingress_rule_peers"] > 40
        assert {name for name, packets in counted.items() if packets and "refused" in name} == set()


@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("kind", ["gre", "ipip"])
def test_encapsulation_limit_on_merged_packets(
    compiled_spec: CompiledSpec, tmp_path: Path, kind: str, inner: int
) -> None:
    """The kernel merges what arrives (GRO) before the hook, with the option on each of the packets."""
    bundle = compiled_spec(f"{kind}-peer")
    with Topology(offloads="software") as topology:
        _load(topology, bundle, tmp_path / "rows.csv", 6)
        wrap, unwrap = _peer(kind, "far", 6)
        with (
            _patient_gro(topology.ours, "eth0"),
            scapy_peer.ScapyPeer(topology, "far", 6, _limited(wrap), unwrap),
            Capture(topology.ours, "eth0") as wire,
        ):
            assert bulk_tcp(topology.host("far", inner), topology.host("ours", inner), size=100_000)
            merged = [f for f in wire.frames() if not f.outgoing and f.data[20] == 60 and len(f.data) > 1514]
        assert merged
        counted = _counters(topology.ours, bundle)
        assert {name for name, packets in counted.items() if packets and "refused" in name} == set()


@contextmanager
def _patient_gro(namespace: Namespace, device: str) -> Iterator[None]:
    """Merge packets that do not come at once: the scapy end is slow."""
    settings = {"napi_defer_hard_irqs": 50, "gro_flush_timeout": 10_000_000}
    write = [f"echo {value} > /sys/class/net/{device}/{name}" for name, value in settings.items()]
    # The namespace's own devices are in a /sys of its own.
    namespace.run(["unshare", "-m", "sh", "-ec", "; ".join(["mount -t sysfs sysfs /sys", *write])])
    yield
