"""What the program asks of a packet, as C."""

from __future__ import annotations

from .. import ir


def needs(packet: ir.PacketNeeds) -> list[str]:
    """The flags of what the program asks of a packet."""
    wanted = {
        "PROTOCOL": packet.protocol,
        "PORTS": packet.ports,
        "DSCP": packet.dscp,
        "TTL": packet.ttl,
        "MARK": packet.mark,
        "LENGTH": packet.length,
        "FRAGMENT": packet.hash or packet.flow or packet.fragments,
        "FIRST_FRAGMENT": packet.fragments,
        "DISCOVERY": packet.discovery,
        "SOCKET": packet.socket,
    }
    return [f"NEED_{name}" for name, there in wanted.items() if there]


def stays_on_link(before: ir.PassedBefore) -> bool:
    """Whether it is what never leaves a link."""
    return ir.Aside.OWN_STACK not in before.kinds


def sees_link_local(egress: ir.EgressProgram) -> bool:
    """Whether the program distinguishes what never leaves a link."""
    return any(stays_on_link(before) for before in egress.before)
