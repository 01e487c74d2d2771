"""E4xx: headers and typed values."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "E401": Explained(
        "an unknown header",
        """The catalogue has no such header. `docs/spec.md` lists those it has. `ip` is IPv4 or IPv6, as the
row's address is. The inner packet's own headers are not part of an encapsulation.""",
    ),
    "E402": Explained(
        "a header field is missing",
        """The field has no default: either only the spec can know it (addresses, a VNI), or it is a decision
that a person must take. `checksum: zero` is such a decision: over IPv6 a zero UDP checksum is
allowed for tunnels only if the receiver accepts it (RFC 6935, RFC 6936).

    - udp: {checksum: zero}""",
    ),
    "E403": Explained(
        "an unknown header field",
        """The header has no field of that name that a spec may set; `docs/spec.md` has the table of its
fields. Under `ip` only fields that IPv4 and IPv6 share can be set.""",
    ),
    "E404": Explained(
        "a field that the compiler sets",
        """Lengths, checksums, versions, flags and what names the next header follow from the stack and the
packet. A wrong value would break the packet, so a spec cannot give one. Leave it out.""",
    ),
    "E405": Explained(
        "headers in an order that cannot be",
        """The upper header has no number that names the lower one, or both have a variable-length part, of
which a stack has one at most. For example VXLAN runs over UDP, not directly over IP:

    - ip: {source: host.vtep, destination: endpoint.address}
    - udp: {checksum: zero}
    - vxlan: {vni: endpoint.vni}
    - ethernet: {source: host.uplink.mac, destination: endpoint.mac}""",
    ),
    "E406": Explained(
        "the first header is not IP",
        """A packet leaves towards an outer IP address: the outermost header is `ip`, `ipv4` or `ipv6`. The
Ethernet header before it belongs to the device.""",
    ),
    "E407": Explained(
        "the last header cannot carry a packet",
        """The inner packet is IPv4 or IPv6. VXLAN carries Ethernet frames, so its stack ends with `ethernet`;
UDP must be followed by what its port announces.""",
    ),
    "E408": Explained(
        "the outer source is not a host value",
        """The outer source differs per machine: one object serves every machine, and on receive it is the
address that the packet must be sent to. It is a host value:

    host: {uplink: device, vtep: {type: ip, default: uplink.address}}
    ... - ip: {source: host.vtep, ...}""",
    ),
    "E409": Explained(
        "`ip` without an address that decides the family",
        """`ip` means IPv4 or IPv6, whichever the row's address is, so its destination must be a field of the
row. For one fixed destination, write the header of its family:

    - ipv4: {source: host.vtep, destination: 192.0.2.1, ...}

Only what answers a packet may have a host value there: it is of the family of the packet that came in, or
of the other one on a host that has no address of that family.""",
    ),
    "E560": Explained(
        "a header that the kernel cannot write in each segment",
        """A GSO packet is encapsulated once, and the kernel cuts it into segments afterwards. It writes the lengths of
the outermost IP header and of a UDP header right behind it in each segment, and copies everything else. A
second UDP header, or a length of another protocol, would be wrong in all segments but one. So such an
encapsulation is for packets that are no GSO packets, and the spec says so:

    egress:
      segmentation: off
      ...

A GSO packet that a rule gives this encapsulation is then dropped and counted as `egress_gso`. Let no device
build them: `ip link set dev DEVICE gso_max_segs 1` for local connections, `ethtool -K DEVICE gro off` where
packets that are forwarded come in.""",
    ),
    "E561": Explained(
        "a reference to one of several headers of a name",
        """`received.HEADER.FIELD` names a header that came in, and the encapsulation that comes in has several of that
name: it could be either. Which of them is meant cannot be said yet. Write a constant or a host value, or let
the encapsulation have one.""",
    ),
    "E570": Explained(
        "the description of a header is wrong",
        """A file in `headers/protocols/` describes a header in a way that cannot be sent or recognised: a value wider
than its field, a word where C would put padding before it, two refusals of one name, a number that is missing
in a space which the header claims. `docs/adding-a-header.md` says what a description can say. No spec compiles
until it is corrected, because every header is part of the language.""",
    ),
    "E411": Explained(
        "not a value of this type",
        """The text is not an address, a number, a MAC address or a name of the kind that is needed here.

    ip        192.0.2.1 or 2001:db8::1
    prefix    10.0.0.0/8 or 2001:db8::/32
    mac       02:00:5e:10:00:01
    u8 ...    1001 or 0x3e9""",
    ),
    "E412": Explained(
        "out of range",
        """The number does not fit the field: a VNI has 24 bits (at most 16777215), a port is 1 to 65535, a
DSCP 0 to 63, a TTL 1 to 255, an IPv4 prefix length 0 to 32.""",
    ),
    "E413": Explained(
        "not a keyword of this field",
        """The field takes keywords of its own, like `flow` for a UDP source port, `inherit` for DSCP and TTL,
or `zero` for a UDP checksum, and this is none of them.""",
    ),
    "E414": Explained(
        "a number in a form that programs read differently",
        """Leading zeros mean octal to some readers and nothing to others, in numbers and in IPv4 addresses;
signs, spaces and digit groups are not taken either. Write plain decimal, or hexadecimal after 0x.""",
    ),
    "E415": Explained(
        "bits beyond the prefix",
        """10.1.2.3/8 names a network and an address in it at once. Either the length or the address is not
what was meant: write the network (10.0.0.0/8) or the address (10.1.2.3).""",
    ),
    "E416": Explained(
        "an IPv4-mapped IPv6 address",
        """::ffff:192.0.2.1 is how some programs keep an IPv4 address in an IPv6 field; it never stands in a
packet on the wire. Write the IPv4 address.""",
    ),
    "E417": Explained(
        "a scope id",
        """fe80::1%eth0 names an interface of one machine. A spec is for all machines; and link-local addresses
are no tunnel endpoints.""",
    ),
    "E418": Explained(
        "not a machine's address",
        """0.0.0.0, :: and 255.255.255.255 cannot be the address of the other end, nor can a loopback address
(127.0.0.0/8, ::1), which is each machine itself. In prefixes 0.0.0.0/0 and ::/0 are fine: they are
everything.""",
    ),
    "E419": Explained(
        "a group address as source",
        """The lowest bit of a MAC address's first byte marks a group (multicast), and no frame comes from a
group. Switches drop such frames. Locally chosen addresses begin with 02.""",
    ),
    "E420": Explained(
        "a multicast address as a tunnel endpoint",
        """A tunnel leads to one machine: 224.0.0.0/4 and ff00::/8 are groups of machines. Sending one packet to
many receivers, as VXLAN does for broadcasts with a group address, is not in this release. Give the
unicast address of the other end; several ends are several rows.""",
    ),
    "E421": Explained(
        "no receiver's MAC address",
        """An inner frame to 00:00:00:00:00:00 is taken by no receiver. It is mostly a placeholder that was left
in. On the receiving machine `ip link show` has the address of the device that takes the inner frames,
for example of its vxlan device.""",
    ),
    "E422": Explained(
        "a range that ends before it begins",
        """A range is FIRST-LAST with both ends included.

    destination_port: 8000-8999""",
    ),
    "E424": Explained(
        "a prefix where one address is needed",
        """A tunnel endpoint is one machine, and in a key of several address words only the last may hold prefixes.
Write the address alone.""",
    ),
    "E428": Explained(
        "not a time",
        """A time has a unit: `s`, `m` or `h`. A bare number could be seconds or milliseconds.

    learn: {for: replies, capacity: 200000, idle: 350s}""",
    ),
    "E427": Explained(
        "options that cannot stand beside each other",
        """An option is found by its class and type, and referred to by its name, so in one header both are its
own. Where two encapsulations have an option of one name, it is as long in both. All options of a header
together are at most as long as the header can say: 252 bytes in Geneve.

    - geneve:
        vni: 1
        options: [{class: 0x0108, type: 1, length: 8, name: eni, value: received}]""",
    ),
    "E425": Explained(
        "an address of the other family",
        """The type says IPv4 and the address is IPv6, or the reverse. Type `ip` takes both.""",
    ),
    "E429": Explained(
        "several fields for the outer destination",
        """The family of a row's outer destination decides whether its outermost header is IPv4 or IPv6. In a table
with several encapsulations that may be of either family it is read from one field, which all of them name.

    endpoints:
      exits: {fields: {address: ip, key: u32}, encapsulation: [gre, ipip]}   # both go to endpoint.address""",
    ),
    "W426": Explained(
        "a group address as the inner destination",
        """The inner frame goes to a broadcast or multicast MAC address. A receiver takes it, but not as a packet
for itself alone: Linux drops TCP that arrives so, and forwards nothing that does. It is right only
where the receiver is known to take it, as some routers do. Else give the address of the receiver's
device, which `ip link show` prints there.""",
    ),
    "W427": Explained(
        "a link-local address as a tunnel endpoint",
        """169.254.0.0/16 and fe80::/10 are addresses on one link: no router carries a packet to one, and on
another link the same address is another machine. It is right only if both ends are on the same link
on every machine that runs this spec.""",
    ),
}
