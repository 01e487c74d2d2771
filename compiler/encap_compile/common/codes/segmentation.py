"""Codes about GSO packets and the devices that cut them."""

from __future__ import annotations

from . import Explained

CODES = {
    "H170": Explained(
        "GSO packets that would be dropped",
        """The spec has `segmentation: off` and an encapsulation with headers that the kernel cannot write in each
segment of a GSO packet, such as the length of a second UDP header. GSO packets for it are dropped and
counted as `egress_gso`, so TCP makes hardly any progress. Local connections send none through a device that
takes one segment:

    ip link set dev DEVICE gso_max_segs 1

Forwarded packets are merged by the device where they arrive: disable that with `ethtool -K DEVICE gro off`.""",
    ),
    "H171": Explained(
        "datagrams of UDP_SEGMENT that would be dropped",
        """QUIC and other applications give the kernel many datagrams in one call (UDP_SEGMENT). Their packet is
encapsulated once and cut into datagrams afterwards. That fails on a device that does not fill in checksums:
such packets are dropped, and counted as `egress_gso_checksum`. Let the device fill them in; for a device
without that ability, the kernel does it on the way out:

    ethtool -K DEVICE tx on

A route device fills them in for what is routed to it:

    attach: {devices: host.uplink, route_device: {name: encap0}}

Other packets are not affected: TCP, single datagrams, and what is forwarded.""",
    ),
    "H172": Explained(
        "IPv6 GSO packets of more than 64 KB",
        """The device lets TCP make GSO packets of more than 64 KB (BIG TCP), and rules can encapsulate IPv6. Before
7.0, Linux writes an additional header into such a packet, which it cannot remove behind outer headers, so the
program drops it (`egress_gso_jumbo`), and TCP falls back to single segments. Lower the limit:

    ip link set dev DEVICE gso_max_size 65536""",
    ),
    "H173": Explained(
        "IPv4 GSO packets of more than 64 KB",
        """The device lets TCP make IPv4 GSO packets of more than 64 KB (BIG TCP), and it segments tunnels itself, so
it is given them whole. No header can hold their length: over a veth, the host at the other end drops them.
Lower the limit, or let the kernel segment them:

    ip link set dev DEVICE gso_ipv4_max_size 65536
    ethtool -K DEVICE tx-udp_tnl-segmentation off""",
    ),
}
