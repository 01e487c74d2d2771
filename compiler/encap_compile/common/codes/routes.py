"""Codes of `encapctl` about routes and devices: H111 to H113, H115, H120 to H129."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "H111": Explained(
        "packets of full size do not fit",
        "Encapsulation makes a packet larger, and at this hook nothing informs the sender: a packet that then exceeds\n"
        "the device's MTU is lost. Senders go by the MTU of the inner packet's route, so that must say what fits:\n\n"
        "    ip route change 10.0.0.0/8 via 192.0.2.1 dev bond0 mtu 1450\n\n"
        "Where the program lowers the MSS of TCP connections, TCP fits without it; UDP and the rest do not. A route\n"
        "with other traffic is better left alone: give the prefix that is encapsulated a route of its own.",
    ),
    "H112": Explained(
        "packets that never reach the hook",
        "A rule encapsulates packets to this prefix, but the kernel routes them, or a part of them, to another\n"
        "device, or nowhere, so the program never sees them. It needs a route over an attached device.\n"
        "Routes are checked as for a packet of this machine: every route within the prefix, all next hops of each.",
    ),
    "H113": Explained(
        "the outer packet would go to the wrong neighbour",
        "With `next_hop: keep` the encapsulated packet leaves to the neighbour that the kernel chose for the inner\n"
        "destination. For these endpoints that is not the neighbour on the way to the endpoint. Route the inner\n"
        "prefix over the same gateway, or write `next_hop: route`, which asks for the outer destination's own.\n\n"
        "Neighbours are told apart by their MAC addresses where those are known: two addresses of one router, or its\n"
        "IPv4 and its IPv6 address, are one neighbour. Two addresses of one family of which one has not answered yet\n"
        "are taken for two neighbours: if they are one, `ping` both and plan again.",
    ),
    "H115": Explained(
        "next hops that cannot be compared yet",
        "The inner packets are IPv4 and the tunnel runs over IPv6, or the reverse, and with `next_hop: keep` an outer\n"
        "packet goes to the inner one's neighbour. Whether that is the right one shows in the MAC addresses of the\n"
        "two next hops, and the neighbour table (`ip neigh`) does not have both. It learns one when the machine\n"
        "sends something there:\n\n"
        "    ping -c 1 2001:db8::1\n    encapctl plan build/NAME",
    ),
    "H120": Explained(
        "an attached device is down",
        "While a device is down no packet leaves by it, and the kernel takes its routes away: packets for these may\n"
        "then leave by another device, unencapsulated. Bring it up, and plan again to check the routes.",
    ),
    "H121": Explained(
        "an attached device has no carrier",
        "The device is up, but its link is not: the cable is out, or the other end is down. Its routes may still be\n"
        "there (see net.ipv4.conf.DEVICE.ignore_routes_with_linkdown).",
    ),
    "H122": Explained(
        "an attached device is a port of another",
        "The device belongs to a bridge, a bond or a team. Addresses and routes are those of the device that it\n"
        "belongs to, and a program on one port sees only what leaves or arrives by it. Attach to the other device:\n\n"
        "    encapctl plan build/NAME --set uplink=bond0",
    ),
    "H123": Explained(
        "routes over a device above the attached one",
        "A VLAN (or macvlan, ipvlan) device hands its packets to the device that it lies over, and the program there\n"
        "sees them: they are encapsulated, and the outer packet keeps the VLAN's tag. If only that VLAN is meant,\n"
        "attach to its device.",
    ),
    "H124": Explained(
        "an attached device belongs to a VRF",
        "Packets of a VRF are routed by its own table, and that table is what was checked. A destination that has no\n"
        "route over an attached device there is looked up in the main table as well.",
    ),
    "H125": Explained(
        "a rule's destination is this host",
        "Packets to this host's own addresses do not leave it, so nothing encapsulates them. In a spec for many hosts\n"
        "that is usual: on every other host the same rule encapsulates.",
    ),
    "H126": Explained(
        "packets to hosts on the link",
        "With `next_hop: keep` an encapsulated packet leaves to the neighbour that the kernel chose for the inner\n"
        "destination. A host on the link is its own neighbour: the encapsulated packet arrives at that host, and not\n"
        "at the remote tunnel endpoint. Let such destinations pass by a rule before, or write `next_hop: route`.",
    ),
    "H127": Explained(
        "routes that were not checked",
        "Routing rules (`ip rule`) can choose a table by a packet's source, mark, device or ports. Which packets a\n"
        "rule of the spec will meet is not known before, so routes are checked as for a packet without them. Very\n"
        "large routing tables are looked at in part.",
    ),
    "H128": Explained(
        "routes could not be checked",
        "The bundle is applied and runs. Reading the routing tables failed afterwards, so that what `plan` would warn\n"
        "of is not known. Run `encapctl plan`.",
    ),
}
