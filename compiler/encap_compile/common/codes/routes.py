"""Codes of `encapctl` about routes and devices: H111 to H113, H115, H120 to H129."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "H111": Explained(
        "full-size packets do not fit",
        """Encapsulation makes a packet larger, and one that then exceeds the device's MTU is lost.
With `mtu: {too_big: icmp}`, the default, the sender is told what fits, but not of an IPv4 packet without DF,
and not if it ignores ICMP; with `drop` nobody is told. Senders go by the MTU of the inner packet's route, so
that should say what fits:

    ip route change 10.0.0.0/8 via 192.0.2.1 dev bond0 mtu 1450

If the program lowers the MSS of TCP connections, TCP fits without it; UDP and other protocols do not. Do
not change a route with other traffic: give the encapsulated prefix a route of its own.

Sockets with IP_PMTUDISC_PROBE, INTERFACE or OMIT, as some DNS servers use, go by the MTU of the device and
not by that of a route: they must send less by themselves (max-udp-size).

`egress_too_big` counts what is lost, and `egress_without_df` how much of it was IPv4 without DF: nobody may be
told of that, and nothing behind the hook fragments it. The kernel does so before a route device, whose MTU is
the inner one (`attach: {devices: host.uplink, route_device: {name: encap0}}`).""",
    ),
    "H119": Explained(
        "IPv6 gets less than 1280 bytes",
        """Every link of IPv6 takes packets of 1280 bytes (RFC 8200): hosts send such packets whatever a route or ICMP
says. What is left behind the headers on this device, or on the path to the tunnel endpoints, is less. TCP
whose MSS the program lowers may fit; everything else does not, so this is an error of `encapctl plan`.
Ways out: a device and a path with a larger MTU, headers that add less (an outer IPv4 address is 20 bytes
shorter), or rules that encapsulate IPv4 alone:

    ip link set dev DEVICE mtu 1500""",
    ),
    "H112": Explained(
        "packets that never reach the hook",
        """A rule encapsulates packets to this prefix, but the kernel routes some or all of them to another device, or
nowhere, so the program never sees them. The prefix needs a route over an attached device. Routes are
checked as for a packet of this machine: every route within the prefix, and all next hops of each.""",
    ),
    "H113": Explained(
        "the outer packet would go to the wrong neighbour",
        """With `next_hop: keep` the encapsulated packet leaves to the neighbour that the kernel chose for the inner
destination. For these endpoints, that is not the next hop towards the endpoint. Route the inner prefix via
the same gateway, or write `next_hop: route`, which uses the outer destination's neighbour.

Neighbours are compared by MAC address if it is known: two addresses of one router, or its IPv4 and IPv6
addresses, are the same neighbour. Two addresses of one family count as two neighbours until both are in the
neighbour table: if they are the same router, `ping` both and plan again.""",
    ),
    "H115": Explained(
        "next hops that cannot be compared yet",
        """The inner packets are IPv4 and the tunnel runs over IPv6, or the reverse, and with `next_hop: keep` an outer
packet goes to the inner one's neighbour. To check that this is the right one, `plan` compares the MAC
addresses of the two next hops, but the neighbour table (`ip neigh`) does not have both. The kernel learns
one when the machine sends something there:

    ping -c 1 2001:db8::1
    encapctl plan build/NAME""",
    ),
    "H120": Explained(
        "an attached device is down",
        """While a device is down, no packet leaves by it and the kernel removes its routes, so their packets may leave
by another device, unencapsulated. Bring the device up, and plan again to check the routes.""",
    ),
    "H121": Explained(
        "an attached device has no carrier",
        """The device is up, but its link is not: the cable is unplugged, or the peer is down. Its routes may still
exist (see net.ipv4.conf.DEVICE.ignore_routes_with_linkdown).""",
    ),
    "H122": Explained(
        "an attached device is a port of another",
        """The device belongs to a bridge, a bond or a team. That device has the addresses and routes, and a program on
one port sees only the packets of that port. Attach to the device that it belongs to:

    encapctl plan build/NAME --set uplink=bond0""",
    ),
    "H123": Explained(
        "routes over a device above the attached one",
        """A VLAN (or macvlan, ipvlan) device passes its packets to the device below it, where the program sees them:
they are encapsulated, and the outer packet keeps the VLAN's tag. If you want only that VLAN, attach to its
device.""",
    ),
    "H124": Explained(
        "an attached device belongs to a VRF",
        """Packets of a VRF are routed by its own table, so that table was checked. A destination without a route over
an attached device there was looked up in the main table too.""",
    ),
    "H125": Explained(
        "a rule's destination is this host",
        """Packets to this host's own addresses do not leave it, so they are not encapsulated. That is normal in a spec
for many hosts: on every other host, the rule encapsulates.""",
    ),
    "H126": Explained(
        "packets to hosts on the link",
        """With `next_hop: keep` an encapsulated packet leaves to the neighbour that the kernel chose for the inner
destination. A host on the link is its own next hop, so the encapsulated packet arrives at that host and not
at the tunnel endpoint. Pass such destinations in an earlier rule, or write `next_hop: route`.""",
    ),
    "H127": Explained(
        "routes that were not checked",
        """Routing rules (`ip rule`) can choose a table by a packet's source, mark, device or ports. The packets that a
rule will match are not known in advance, so routes are checked without these. Very large routing tables are
only checked in part.""",
    ),
    "H128": Explained(
        "routes could not be checked",
        """The bundle is applied and runs, but reading the routing tables failed afterwards, so the warnings of `plan`
are missing. Run `encapctl plan`.""",
    ),
    "H129": Explained(
        "rows that no rule sends packets to",
        """A table is looked up for the packets that a rule matches. A row for destinations outside every such match
is never found: these packets are left to the other rules and the default, which may pass them unencapsulated.
Add the destinations to the match of the rule with `to`. A row that is there for what is received alone, by
`from: TABLE.FIELD`, needs no rule.""",
    ),
}
