"""Devices over, under and beside attached ones: VLANs, bonds, VRFs. Which of them a packet passes, and what is said."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from encap_compile.run.kernel.devices import Device
from encap_compile.run.kernel.routes import Hop, Kind, Route
from encap_compile.run.loader.routing import table as routing
from encap_compile.run.loader.routing.device_states import Attachment
from encap_compile.run.loader.routing.network import Network
from encap_compile.run.loader.routing.report import RouteReport

ETH0 = Device("eth0", 2, bytes(6), 1500, True, True)
ETH1 = replace(ETH0, name="eth1", index=3)
VLAN = replace(ETH0, name="eth0.7", index=4, kind="vlan", lower=2)
BOND = replace(ETH0, name="bond0", index=5, kind="bond")
VRF = replace(ETH0, name="red", index=6, kind="vrf", ethernet=False)
QINQ = replace(ETH0, name="eth0.7.9", index=7, kind="vlan", lower=4)
VETH = replace(ETH0, name="veth0", index=8, kind="veth", lower=2)
BRIDGE = replace(ETH0, name="br0", index=9, kind="bridge")


def found(attached: list[Device], *devices: Device, used: tuple[int, ...] = ()) -> list[tuple[str, str, str]]:
    report, attachment = RouteReport(), Attachment(attached, devices)
    attachment.check(report)
    attachment.check_over(used, report)
    return [(d.code, str(d.severity), d.message) for d in report.diagnostics]


def port(device: Device, master: Device) -> Device:
    return replace(device, master=master.index, master_kind=master.kind)


def test_what_is_routed_over_a_device_above_passes_the_one_below() -> None:
    attachment = Attachment([ETH0], [ETH0, ETH1, VLAN, QINQ, VETH])
    assert attachment.passed(VLAN.index) == {2} and attachment.passed(QINQ.index) == {2}
    assert attachment.passed(VETH.index) == set()  # its `lower` is its peer, not what carries it
    assert attachment.passed(ETH1.index) == set() and attachment.passed(99) == set()


@pytest.mark.parametrize("kind", ["bond", "team", "bridge"])
def test_a_port_of_another_device(kind: str) -> None:
    master = replace(BOND, kind=kind)
    ports = [port(ETH0, master), port(ETH1, master)]
    attachment = Attachment([ports[0]], [*ports, master])
    assert attachment.passed(master.index) == {2}
    ((code, severity, words),) = found([ports[0]], *ports, master)
    assert (code, severity) == ("H122", "warning") and f"eth0 is a port of {kind} bond0" in words


def test_all_ports_of_a_bond_or_the_bond_itself_are_enough() -> None:
    ports = [port(ETH0, BOND), port(ETH1, BOND)]
    assert {s for _, s, _ in found(ports, *ports, BOND)} == {"note"}
    assert {s for _, s, _ in found([ports[0], BOND], *ports, BOND)} == {"note"}
    bridged = [port(ETH0, BRIDGE), port(ETH1, BRIDGE)]  # what goes between its ports never meets it
    assert {s for _, s, _ in found(bridged, *bridged, BRIDGE)} == {"warning"}


def test_a_vlan_parent_is_named_where_routes_lead_over_the_vlan() -> None:
    assert found([ETH0], ETH0, VLAN) == []
    ((code, severity, words),) = found([ETH0], ETH0, VLAN, used=(2, 4))
    assert (code, severity) == ("H123", "note") and "eth0.7 (vlan), which lies over eth0" in words
    assert found([VLAN], ETH0, VLAN, used=(4,)) == []


def test_down_and_without_carrier() -> None:
    down, dark = replace(ETH0, up=False, carrier=False), replace(ETH1, carrier=False)
    assert [(c, s) for c, s, _ in found([down, dark], down, dark)] == [("H120", "warning"), ("H121", "warning")]
    assert Attachment([down, dark], [down, dark]).silent == "eth0 is down and eth1 has no carrier"


def test_a_vrf_is_asked_first_and_the_main_table_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    member = port(ETH0, VRF)
    ((code, severity, words),) = found([member], member, VRF)
    assert (code, severity) == ("H124", "note") and "eth0 belongs to VRF red" in words
    attachment = Attachment([member], [member, ETH1, VRF])
    assert attachment.vrfs == (VRF.index, 0)
    ten, eleven = ip_network("10.0.0.0/8"), ip_network("11.0.0.0/8")
    tables = {VRF.index: {ten: 2}, 0: {ten: 3, eleven: 2}}

    def lookup(wanted: object, vrf: int = 0) -> list[Route]:
        answers = []
        for address in wanted:  # type: ignore[attr-defined]
            inside = [(p, i) for p, i in tables[vrf].items() if address in p]
            answers.append(Route(Kind.UNICAST, inside[0][0], (Hop(inside[0][1]),)) if inside else Route(Kind.NONE))
        return answers

    monkeypatch.setattr(routing, "lookup", lookup)
    table = routing.RoutingTable(4, [ten, eleven])
    network = Network(attachment, {4: table})
    ways = [network.way(4, table.at(int(ip_address(a)))) for a in ("10.0.0.1", "11.0.0.1", "12.0.0.1")]
    assert [(w.vrf, w.reached) for w in ways if w] == [(VRF.index, True), (0, True), (VRF.index, False)]
