"""What the rest of the host does to decapsulated packets: reverse path filter, firewall, other programs on the hook."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.overlay import Overlay
from tests.support.pinned_compiler import BPF, compile_c
from tests.support.topology import Topology
from tests.support.traffic import bulk_tcp, ping, udp_echo

from .conftest import Compiled

pytestmark = pytest.mark.kernel

# Drops one UDP port of the inner packet: unencapsulated, and 50 bytes further in once it is encapsulated. So a datagram
# to the first is stopped only by a program that runs before ours, one to the second only by one that runs after.
OTHER_PROGRAM = """
typedef unsigned char u8; typedef unsigned int u32; typedef unsigned short u16;
struct __sk_buff;
static long (*load_bytes)(const void *skb, u32 offset, void *to, u32 length) = (void *)26;
__attribute__((section("classifier"), used)) int other(struct __sk_buff *skb)
{
    u8 port[2] = {0};
    if (load_bytes(skb, OFFSET + 14 + 20 + 2, port, 2) < 0)
        return -1; /* TC_ACT_UNSPEC: the next one decides */
    return (port[0] << 8 | port[1]) == PORT ? 2 : -1; /* TC_ACT_SHOT */
}
__attribute__((section("license"), used)) char _license[] = "GPL";
"""
BEFORE, AFTER, NEITHER = 7201, 7202, 7203


@pytest.fixture
def network(compiled: Compiled) -> Iterator[Overlay]:
    with Topology(offloads="software") as topology:
        overlay = Overlay(topology, outer=4)
        overlay.apply(compiled())
        yield overlay


def test_strict_reverse_path_filter_passes_what_has_a_route_back(network: Overlay) -> None:
    topology = network.topology
    for device in ("all", "eth0"):
        topology.ours.sysctl(f"net.ipv4.conf.{device}.rp_filter", 1)
    assert ping(topology.host("far", 4), topology.host("ours", 4))
    assert bulk_tcp(topology.host("far", 4), topology.host("ours", 4), size=1 << 18)


def test_strict_reverse_path_filter_drops_what_has_none(network: Overlay) -> None:
    """The inner source must be reached by the uplink: a route elsewhere loses packets after decapsulation."""
    topology = network.topology
    topology.ours.sysctl("net.ipv4.conf.all.rp_filter", 1)
    topology.ours.ip("link add other type bridge", "link set other up", "route replace 10.1.0.0/16 dev other")
    with network.counting() as counted:
        assert ping(topology.host("far", 4), topology.host("ours", 4), timeout=0.1).good == 0
    assert counted["ingress_rule_peers"] == 3


def test_firewall_sees_the_inner_packet_only(network: Overlay) -> None:
    topology = network.topology
    rules = """
        table inet filter {
            counter inner {}
            counter outer {}
            chain input {
                type filter hook input priority filter;
                udp dport 4789 counter name outer
                ip saddr 10.1.0.0/16 counter name inner
                ip saddr 10.1.0.0/16 udp dport 7205 drop
            }
            chain output {
                type filter hook output priority filter;
                udp dport 4789 counter name outer
            }
        }
    """
    with topology.ours.entered():
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, capture_output=True)
    far, ours = topology.host("far", 4), topology.host("ours", 4)
    assert udp_echo(far, ours, sizes=(10, 20))
    assert udp_echo(far, ours, sizes=(10,), port=7205, timeout=0.1).good == 0
    said = topology.ours.run(["nft", "list", "counters"]).stdout.split()
    packets = dict(zip([said[i + 1] for i, w in enumerate(said) if w == "counter"], _numbers(said), strict=True))
    assert packets == {"inner": 3, "outer": 0}


def _numbers(words: list[str]) -> list[int]:
    return [int(words[i + 1]) for i, word in enumerate(words) if word == "packets"]


def _other_program(folder: Path, offset: int, port: int) -> Path:
    source, target = folder / f"{port}.c", folder / f"{port}.o"
    source.write_text(OTHER_PROGRAM)
    compile_c(["-mcpu=v2", "-O2", "-c", source, f"-DOFFSET={offset}", f"-DPORT={port}", "-o", target], command=BPF)
    return target


@pytest.mark.parametrize("attach", ["tcx", "clsact"])
def test_other_programs_on_the_hook_run_before_and_after(compiled: Compiled, tmp_path: Path, attach: str) -> None:
    """Filters of lower preference run before ours, the rest after; a TCX program runs before all filters."""
    first, last = _other_program(tmp_path, 0, BEFORE), _other_program(tmp_path, 50, AFTER)
    with Topology(offloads="off") as topology:
        topology.ours.tc("qdisc add dev eth0 clsact")
        overlay = Overlay(topology, outer=4)
        overlay.apply(compiled(), "--attach", attach)
        topology.ours.tc(
            f"filter add dev eth0 egress pref 1 bpf da obj {first} sec classifier",
            f"filter add dev eth0 egress pref 65000 bpf da obj {last} sec classifier",
        )
        ours, far = topology.host("ours", 4), topology.host("far", 4)
        assert udp_echo(ours, far, sizes=(64,), port=NEITHER)
        assert udp_echo(ours, far, sizes=(64,), port=AFTER, timeout=0.1).good == 0
        reached = udp_echo(ours, far, sizes=(64,), port=BEFORE, timeout=2.0 if attach == "tcx" else 0.1).good
        assert reached == (1 if attach == "tcx" else 0)
        assert ping(far, ours)
        # And what was there before us is there after us.
        overlay.remove()
        filters = topology.ours.run(["tc", "filter", "show", "dev", "eth0", "egress"]).stdout
        assert filters.count("direct-action") == 2
        assert "clsact" in topology.ours.run(["tc", "qdisc", "show", "dev", "eth0"]).stdout
