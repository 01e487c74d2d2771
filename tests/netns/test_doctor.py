"""`encapctl doctor`: each finding is provoked, packets are lost by it, and the very command that it prints mends it."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from tests.netns.loader_bundle import write
from tests.netns.loader_net import wire
from tests.support import cli, ethtool, kernel_vxlan
from tests.support.commands import run_printed
from tests.support.documents import validate
from tests.support.lone_segments import LINK, SEGMENTS, network_without_route_mtu, write_arrives
from tests.support.netns import Namespace
from tests.support.overlay import ANY_DEVICES, Overlay, sites, write_rows
from tests.support.topology import PLAN, SECOND_UPLINK, Topology
from tests.support.traffic import Host, udp_echo

from .conftest import Compiled

pytestmark = pytest.mark.kernel

UNCLAMPED = ("egress:\n", "mtu: {clamp_mss: false, too_big: drop}\negress:\n")


def examined(namespace: Namespace, *words: str | Path, check: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The states of checks by name, and what is wrong by code; notes are not."""
    done = cli.encapctl(namespace, "doctor", *words, "--format", "json", check=False)
    assert done.returncode == check, f"{done.returncode}\n{done.stdout}{done.stderr}"
    document = json.loads(done.stdout)
    validate("node-doctor", document)
    return {c["name"]: c for c in document["checks"]}, {
        d["code"]: d for d in document["diagnostics"] if d["severity"] != "note"
    }


def without_offloads(topology: Topology) -> None:
    """Single packets on the wire; but for the checksum, which has a finding of its own (H171)."""
    names = ethtool.feature_names(topology.ours, "eth0")
    ethtool.set_features(topology.ours, "eth0", names, {"tx-checksum-ip-generic": True})


def of_overlay(overlay: Overlay, bundle: Path, folder: Path, uplink: str = "eth0") -> list[str | Path]:
    rows = write_rows(folder, sites(overlay.outer, ("far",)))
    return [
        bundle,
        "--rows",
        f"sites={rows}",
        "--set",
        f"uplink={uplink}",
        "--set",
        f"vtep_mac={overlay.topology.mac('ours')}",
    ]


def planned(namespace: Namespace, words: list[str | Path]) -> set[str]:
    """What `plan` warns of: the same checks."""
    document = json.loads(cli.encapctl(namespace, "plan", *words, "--format", "json", check=False).stdout)
    return {d["code"] for d in document["diagnostics"]}


def test_nothing_to_mend(compiled: Compiled, tmp_path: Path) -> None:
    with Topology() as topology:
        overlay = Overlay(topology, 4)
        words = of_overlay(overlay, compiled(), tmp_path)
        checks, found = examined(topology.ours, *words, check=0)
        assert found == {} and {c["state"] for c in checks.values()} == {"ok"}
        assert {"privileges", "libbpf", "bpf filesystem", "host values", "routes", "hooks"} <= checks.keys()
        text = cli.encapctl(topology.ours, "doctor", *words).stdout
        assert text.endswith("Nothing to mend.\n") and "FOUND" not in text
        assert not (topology.ours.bpffs() / "encap").exists(), "it changes nothing"


def test_the_machine_alone() -> None:
    with Namespace("ours") as ours:
        checks, found = examined(ours, check=0)
        assert list(checks) == ["privileges", "kernel", "libbpf", "bpf filesystem"] and found == {}


def test_strict_reverse_path_with_two_uplinks(compiled: Compiled, tmp_path: Path) -> None:
    with Topology(uplinks=2) as topology:
        overlay = Overlay(topology, 4)
        ours, far = topology.host("ours", 4), topology.host("far", 4)
        bundle = compiled(*ANY_DEVICES)
        overlay.apply(bundle, uplink="eth0,eth1", vtep_mac=topology.mac("ours"))
        words = of_overlay(overlay, bundle, tmp_path, "eth0,eth1")
        kernel_vxlan.forward(topology.far, kernel_vxlan.DEVICE, topology.mac("ours"), SECOND_UPLINK.underlay[4])
        assert udp_echo(far, ours), "it comes in by eth1, and answers leave by eth0"
        _, found = examined(topology.ours, *words, check=0)
        assert "H180" not in found
        for device in ("all", "eth1"):
            topology.ours.sysctl(f"net.ipv4.conf.{device}.rp_filter", 1)
        assert udp_echo(far, ours, timeout=0.3).good == 0
        checks, found = examined(topology.ours, *words, check=3)
        assert checks["reverse path"]["state"] == "found" and set(found) == {"H180"}
        assert (
            f"eth1 has strict rp_filter: what is decapsulated there from {PLAN['far'].prefix[4]}"
            in found["H180"]["message"]
        )
        assert "H180" in planned(topology.ours, words)
        assert run_printed(topology.ours, found["H180"]["help"]) == "sysctl -w net.ipv4.conf.eth1.rp_filter=2"
        assert udp_echo(far, ours)
        assert examined(topology.ours, *words, check=0)[1] == {}
        overlay.remove()


def test_strict_reverse_path_with_one_uplink_is_no_finding(compiled: Compiled, tmp_path: Path) -> None:
    with Topology() as topology:
        overlay = Overlay(topology, 4)
        overlay.apply(compiled())
        for device in ("all", "eth0"):
            topology.ours.sysctl(f"net.ipv4.conf.{device}.rp_filter", 1)
        assert examined(topology.ours, *of_overlay(overlay, compiled(), tmp_path), check=0)[1] == {}
        assert udp_echo(topology.host("far", 4), topology.host("ours", 4))
        overlay.remove()


UDP_SEGMENT = 103
COUNT = 20


def tunnel_datagrams_arrive(topology: Topology) -> int:
    """How many of the datagrams in a burst of tunnel datagrams arrive. They reach the wire one by one."""
    size = 400
    inner = Ether(dst=topology.mac("ours"), src=kernel_vxlan.OVERLAY_MACS["far"])
    inner /= IP(src=str(PLAN["far"].overlay[4]), dst=str(PLAN["ours"].overlay[4])) / UDP(sport=9, dport=7300)
    one = bytes(VXLAN(vni=42, flags=8) / inner / bytes(size))
    ours, far = topology.ours, topology.far
    with (
        ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        far.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        server.bind((str(PLAN["ours"].overlay[4]), 7300))
        server.settimeout(0.5)
        sender.bind((str(PLAN["far"].underlay[4]), 0))
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, len(one))
        sender.sendto(one * COUNT, (str(PLAN["ours"].underlay[4]), kernel_vxlan.PORT))
        arrived = 0
        while arrived < COUNT:
            try:
                arrived += len(server.recv(65536)) == size
            except TimeoutError:
                break
    return arrived


def test_merged_tunnel_datagrams(compiled: Compiled, tmp_path: Path) -> None:
    with Topology(offloads="software") as topology:
        overlay = Overlay(topology, 4)
        overlay.apply(compiled())
        words = of_overlay(overlay, compiled(), tmp_path)
        assert tunnel_datagrams_arrive(topology) == COUNT
        assert examined(topology.ours, *words, check=0)[1] == {}
        names = ethtool.feature_names(topology.ours, "eth0")
        ethtool.set_features(topology.ours, "eth0", names, {"rx-udp-gro-forwarding": True})
        with overlay.counting() as counted:
            arrived = tunnel_datagrams_arrive(topology)
        assert arrived < COUNT and counted["refused_vxlan__gso"] == COUNT - arrived
        checks, found = examined(topology.ours, *words, check=3)
        assert checks["merged datagrams"]["state"] == "found" and set(found) == {"H181"}
        assert "H181" in planned(topology.ours, words)
        assert run_printed(topology.ours, found["H181"]["help"]) == "ethtool -K eth0 rx-udp-gro-forwarding off"
        assert examined(topology.ours, *words, check=0)[1] == {}
        assert tunnel_datagrams_arrive(topology) == COUNT
        overlay.remove()


def datagrams_arrive(source: Host, destination: Host, size: int, count: int = 3) -> int:
    """How many of some datagrams arrive, by a socket that leaves all as the machine has it."""
    with (
        destination.namespace.socket(destination.family, socket.SOCK_DGRAM) as server,
        source.namespace.socket(source.family, socket.SOCK_DGRAM) as client,
    ):
        server.bind((destination.address, 7300))
        server.settimeout(0.3)
        client.bind((source.address, 0))
        client.connect((destination.address, 7300))
        arrived = 0
        for _ in range(count):
            try:
                client.send(bytes(size))
                arrived += len(server.recv(65536)) == size
            except OSError:
                continue
        return arrived


def test_no_path_mtu_discovery(compiled: Compiled, tmp_path: Path) -> None:
    with Topology(offloads="off") as topology:
        without_offloads(topology)
        overlay = network_without_route_mtu(topology, 4)
        overlay.apply(compiled())
        ours, far = topology.host("ours", 4), topology.host("far", 4)
        words = of_overlay(overlay, compiled(), tmp_path)
        _, found = examined(topology.ours, *words, check=3)
        assert set(found) == {"H111"}
        topology.ours.sysctl("net.ipv4.ip_no_pmtu_disc", 1)
        assert datagrams_arrive(ours, far, LINK - 28) == 0
        checks, found = examined(topology.ours, *words, check=3)
        assert checks["path MTU discovery"]["state"] == "found" and set(found) == {"H111", "H182"}
        assert f"more than {LINK - 50} bytes are lost" in found["H182"]["message"]
        run_printed(topology.ours, found["H182"]["help"])
        assert datagrams_arrive(ours, far, LINK - 28) == 1, "the first is answered, and the second call reports it"
        assert set(examined(topology.ours, *words, check=3)[1]) == {"H111"}
        topology.ours.sysctl("net.ipv4.ip_no_pmtu_disc", 1)
        for version in (4, 6):
            for role in ("far",):
                words_ = topology.ours.run(["ip", f"-{version}", "route", "show", PLAN[role].prefix[version]]).stdout
                topology.ours.run(
                    ["ip", f"-{version}", "route", "change", *words_.replace("mtu 1500", "mtu 1450").split()]
                )
        assert examined(topology.ours, *words, check=0)[1] == {}, "where packets fit, it does not matter"
        assert datagrams_arrive(ours, far, LINK - 28) == 3
        overlay.remove()


def test_tcp_that_cannot_learn_what_fits(compiled: Compiled, tmp_path: Path) -> None:
    with Topology(offloads="off") as topology:
        without_offloads(topology)
        overlay = network_without_route_mtu(topology, 4)
        bundle = compiled(UNCLAMPED)
        overlay.apply(bundle)
        ours, far = topology.host("ours", 4), topology.host("far", 4)
        words = of_overlay(overlay, bundle, tmp_path)
        for value in (0, 1):
            topology.ours.sysctl("net.ipv4.tcp_mtu_probing", value)
            assert not write_arrives(ours, far, SEGMENTS[4] - 12, timeout=5)
        checks, found = examined(topology.ours, *words, check=3)
        assert checks["MTU probing"]["state"] == "found" and set(found) == {"H111", "H183"}
        run_printed(topology.ours, found["H183"]["help"])
        assert write_arrives(ours, far, SEGMENTS[4] - 12, port=7201)
        assert set(examined(topology.ours, *words, check=3)[1]) == {"H111"}
        overlay.remove()


def test_a_port_that_takes_less_than_its_bridge(tmp_path: Path) -> None:
    with wire() as net:
        mac = json.loads(net.peer.run(["ip", "-j", "link", "show", "dev", "eth0"]).stdout)[0]["address"]
        net.ours.ip(
            "link add br0 type bridge forward_delay 0 mcast_snooping 0",
            "addr del 192.0.2.1/24 dev eth0",
            "link set eth0 mtu 1400",
            "link set eth0 master br0",
            "link set br0 mtu 1500 up",
            "addr add 192.0.2.1/24 dev br0",
            f"neigh add 192.0.2.2 lladdr {mac} dev br0",
            "route add 10.1.0.0/16 via 192.0.2.2 dev br0 mtu 1480",
        )
        bundle = write(tmp_path / "one")
        words = [bundle, "--set", "uplink=br0"]
        cli.encapctl(net.ours, "apply", *words)
        assert large_arrive(net) == 0
        checks, found = examined(net.ours, *words, check=3)
        assert checks["MTU of ports"]["state"] == "found" and set(found) == {"H184"}
        assert "br0 takes 1500 bytes, and its ports less (eth0 1400)" in found["H184"]["message"]
        assert run_printed(net.ours, found["H184"]["help"]) == "ip link set br0 mtu 1400"
        _, found = examined(net.ours, *words, check=3)
        assert "H184" not in found and "br0 1400 - 20 = 1380" in found["H111"]["message"]
        run_printed(net.ours, found["H111"]["help"])
        assert examined(net.ours, *words, check=0)[1] == {}
        assert large_arrive(net) == 6, "three datagrams of two fragments"
        cli.encapctl(net.ours, "remove", "hand")


def large_arrive(net: Any) -> int:
    before = net.arrived()[0]
    with net.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(3):
            sender.sendto(bytes(1430), ("10.1.0.1", 7))
    return int(net.arrived()[0] - before)


def test_gro_that_is_off(compiled: Compiled, tmp_path: Path) -> None:
    """It costs speed and no packet, so it is a note."""
    with Topology() as topology:
        overlay = Overlay(topology, 4)
        bundle = compiled(("egress:\n", "receive: {gro: device}\negress:\n"))
        overlay.apply(bundle)
        words = of_overlay(overlay, bundle, tmp_path)
        assert examined(topology.ours, *words, check=0)[0]["received segments"]["codes"] == []
        ethtool.set_features(topology.ours, "eth0", ethtool.feature_names(topology.ours, "eth0"), {"rx-gro": False})
        done = cli.encapctl(topology.ours, "doctor", *words, "--format", "json")
        (note,) = json.loads(done.stdout)["diagnostics"]
        assert note["code"] == "H192" and run_printed(topology.ours, note["help"]) == "ethtool -K eth0 gro on"
        assert examined(topology.ours, *words, check=0)[0]["received segments"]["codes"] == []
        overlay.remove()


# ---- what must be there at all --------------------------------------------------------------------------------------


def test_without_privileges(compiled: Compiled, tmp_path: Path) -> None:
    """What any user can see is looked at all the same, and what was not is said."""
    with Topology(uplinks=2) as topology:
        overlay = Overlay(topology, 4)
        words = of_overlay(overlay, compiled(*ANY_DEVICES), tmp_path, "eth0,eth1")
        for device in ("all", "eth1"):
            topology.ours.sysctl(f"net.ipv4.conf.{device}.rp_filter", 1)
        drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
        done = topology.ours.run([*drop, *cli.CTL, "doctor", *map(str, words), "--format", "json"], check=False)
        assert done.returncode == 6, done.stdout + done.stderr
        document = json.loads(done.stdout)
        checks = {c["name"]: c for c in document["checks"]}
        assert checks["privileges"]["codes"] == ["H101"] and checks["reverse path"]["codes"] == ["H180"]
        assert checks["hooks"]["state"] == "unseen" and "takes the privileges" in checks["hooks"]["text"]


def test_checksums_that_the_device_does_not_fill_in(compiled: Compiled, tmp_path: Path) -> None:
    """What `plan` finds by itself is found here too; `tests/netns` of segmentation sends the datagrams."""
    with Topology(offloads="off") as topology:
        overlay = Overlay(topology, 4)
        words = of_overlay(overlay, compiled(), tmp_path)
        checks, found = examined(topology.ours, *words, check=3)
        assert checks["segmentation"]["codes"] == ["H171"] and set(found) == {"H171"}
        assert run_printed(topology.ours, found["H171"]["help"]) == "ethtool -K eth0 tx on"
        assert examined(topology.ours, *words, check=0)[1] == {}


@pytest.mark.parametrize(
    ("variable", "value", "name", "code"),
    [
        ("ENCAP_LIBBPF", "/nonexistent/libbpf.so.1", "libbpf", "K201"),
        ("ENCAP_BPFFS", "/proc", "bpf filesystem", "H102"),
    ],
)
def test_what_is_missing(compiled: Compiled, tmp_path: Path, variable: str, value: str, name: str, code: str) -> None:
    with Topology() as topology:
        overlay = Overlay(topology, 4)
        words = of_overlay(overlay, compiled(), tmp_path)
        done = topology.ours.run(
            ["env", f"{variable}={value}", *cli.CTL, "doctor", *map(str, words), "--format", "json"], check=False
        )
        assert done.returncode == 6, done.stdout + done.stderr
        document = json.loads(done.stdout)
        checks = {c["name"]: c for c in document["checks"]}
        assert checks[name]["codes"] == [code] and checks["routes"]["state"] == "ok"


def test_a_device_that_is_not_there(compiled: Compiled, tmp_path: Path) -> None:
    with Topology() as topology:
        overlay = Overlay(topology, 4)
        checks, found = examined(topology.ours, *of_overlay(overlay, compiled(), tmp_path, "eth7"), check=6)
        assert "H105" in found and checks["devices, routes and settings"]["state"] == "unseen"
