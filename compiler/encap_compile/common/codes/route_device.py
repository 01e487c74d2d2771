"""Codes about the route device."""

from . import Explained

CODES = {
    "E595": Explained(
        "nothing to route to the route device",
        """The route device encapsulates what is routed to it, so it needs a rule with `to` whose packets a route can
tell by their destination: a `destination` in its match, or a table with `destination` in its key. A rule by
port, mark or cgroup alone would route all traffic of the machine to the device. Such rules, `socket` and
`reflect` work at the attached devices, without a route device.

    attach: {devices: [host.uplink], route_device: {name: encap0}}
    - {name: sites, match: {destination: 10.0.0.0/8}, to: sites}""",
    ),
    "E596": Explained(
        "a name that no route device can have",
        """The kernel uses `all` and `default` for the settings of all devices and of new ones
(`net.ipv4.conf.all`), and `lo` is the loopback device. Take another name, such as encap0. It is no host value
either: `encapctl apply` makes the device, and calls it the same on every machine.""",
    ),
    "W596": Explained(
        "packets that the route device would drop",
        """A route knows nothing but the destination. If a rule asks for more (a protocol, a port, a source, a mark),
its whole prefix is routed to the route device all the same. There, a packet that no rule encapsulates cannot go
on to its own destination: the device leads nowhere else. It is dropped and counted (`egress_unrouted`).
Encapsulate the rest of the prefix by a rule behind it, or name the prefixes of which nothing else is sent:

    - {name: web, match: {destination: 10.0.0.0/8, protocol: tcp}, to: fast}
    - {name: rest, match: {destination: 10.0.0.0/8}, to: sites}""",
    ),
    "W597": Explained(
        "packets that a rule passes, and that the route device drops",
        """A rule with `action: pass` is for packets of a prefix that a later rule routes to the route device. A rule by
destination alone is left out of the routes. One that asks for more cannot be: its packets are routed to the
device like the rest of the prefix, cannot go on unencapsulated from there, and are dropped and counted
(`egress_unrouted`). Pass whole prefixes, or leave the route device out.

    - {name: printers, match: {destination: 10.9.0.0/16}, action: pass}
    - {name: sites, match: {destination: 10.0.0.0/8}, to: sites}""",
    ),
}
