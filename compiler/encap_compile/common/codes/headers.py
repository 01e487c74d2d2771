"""E4xx: headers and typed values."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "E401": Explained(
        "an unknown header",
        """The catalogue has no such header. `docs/spec.md` lists all headers. `ip` is IPv4 or IPv6, by the row's
address. The inner packet's own headers are not part of an encapsulation.""",
    ),
    "E402": Explained(
        "a header field is missing",
        """The field has no default: either only the spec can know it (addresses, a VNI), or it is a decision for the
author. `checksum: zero` is such a decision: over IPv6, a zero UDP checksum is allowed for tunnels only if
the receiver accepts it (RFC 6935, RFC 6936).

    - udp: {checksum: zero}""",
    ),
    "E403": Explained(
        "an unknown header field",
        """The header has no such field, or a spec cannot set it; `docs/spec.md` lists its fields. Under `ip` only
fields that IPv4 and IPv6 share can be set.""",
    ),
    "E404": Explained(
        "a field that the compiler sets",
        """The compiler derives lengths, checksums, versions, flags and next-header values from the stack and the
packet. A wrong value would break the packet, so a spec cannot set them. Leave the field out.""",
    ),
    "E405": Explained(
        "headers in an impossible order",
        """The upper header has no number that names the lower one, or both have a variable-length part, of which a
stack has one at most. For example VXLAN runs over UDP, not directly over IP:

    - ip: {source: host.vtep, destination: endpoint.address}
    - udp: {checksum: zero}
    - vxlan: {vni: endpoint.vni}
    - ethernet: {source: host.uplink.mac, destination: endpoint.mac}""",
    ),
    "E406": Explained(
        "the first header is not IP",
        """Encapsulated packets are sent to an outer IP address, so the outermost header must be `ip`, `ipv4` or
`ipv6`. The device adds the Ethernet header before it.""",
    ),
    "E407": Explained(
        "the last header cannot carry a packet",
        """The inner packet is IPv4 or IPv6. VXLAN carries Ethernet frames, so its stack ends with `ethernet`; UDP must
be followed by the header that its port stands for.""",
    ),
    "E408": Explained(
        "the outer source is not a host value",
        """The outer source differs per machine, and on receive it is the address to which packets must be sent. One
object serves every machine, so the source must be a host value:

    host: {uplink: device, vtep: {type: ip, default: uplink.address}}
    ... - ip: {source: host.vtep, ...}""",
    ),
    "E409": Explained(
        "`ip` without an address that decides the family",
        """`ip` means IPv4 or IPv6, by the family of the row's address, so its destination must be a field of the row.
For one fixed destination, write the header of its family:

    - ipv4: {source: host.vtep, destination: 192.0.2.1, ...}

Only reflected packets may have a host value there: they have the family of the packet that arrived, or the
other one on a host that has no address of that family.""",
    ),
    "E560": Explained(
        "a header that the kernel cannot write in each segment",
        """A GSO packet is encapsulated once, and the kernel cuts it into segments afterwards. It writes the lengths of
the outermost IP header and of a UDP header right behind it in each segment, and copies everything else. A
second UDP header, or a length of another protocol, would be wrong in all segments but one. So such an
encapsulation cannot carry GSO packets, and the spec must say so:

    egress:
      segmentation: off
      ...

GSO packets for this encapsulation are then dropped and counted as `egress_gso`. Prevent them: with `ip link
set dev DEVICE gso_max_segs 1` for local connections, and with `ethtool -K DEVICE gro off` on the devices
where forwarded packets arrive.""",
    ),
    "E561": Explained(
        "a reference to one of several headers with the same name",
        """`received.HEADER.FIELD` names a received header, but the received encapsulation has several of that name.
This release cannot select one of them. Use a constant or a host value, or an encapsulation with only one
such header.""",
    ),
    "E570": Explained(
        "the description of a header is wrong",
        """A file in `headers/protocols/` describes a header in a way that cannot be sent or recognised: a value wider
than its field, a word before which C would insert padding, two refusals with one name, or a missing number
in a space that the header claims. Or the file cannot be read as Python, or has no `HEADER`.
`docs/adding-a-header.md` explains descriptions. No spec compiles until the file is corrected, because every header
is part of the language.""",
    ),
    "E411": Explained(
        "not a value of this type",
        """The text is not a valid value of the required type.

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
        """The field has its own keywords, such as `flow` for a UDP source port, `inherit` for DSCP and TTL, or `zero`
for a UDP checksum. This is not one of them.""",
    ),
    "E414": Explained(
        "a number in a form that programs read differently",
        """Some programs read leading zeros as octal and others ignore them, in numbers and in IPv4 addresses. Signs,
spaces and digit groups are not accepted either. Write plain decimal, or hexadecimal after 0x.""",
    ),
    "E415": Explained(
        "bits beyond the prefix",
        """10.1.2.3/8 has address bits beyond the prefix length, so either the length or the address is wrong. Write
the network (10.0.0.0/8) or the address (10.1.2.3).""",
    ),
    "E416": Explained(
        "an IPv4-mapped IPv6 address",
        """::ffff:192.0.2.1 is how some programs store an IPv4 address in an IPv6 field; it does not occur in packets
on the wire. Write the IPv4 address.""",
    ),
    "E417": Explained(
        "a scope id",
        """fe80::1%eth0 names an interface of one machine, but a spec is for all machines. And link-local addresses
cannot be tunnel endpoints.""",
    ),
    "E418": Explained(
        "not the address of a machine",
        """0.0.0.0, :: and 255.255.255.255 cannot be the address of a tunnel endpoint. Nor can a loopback address
(127.0.0.0/8, ::1), which is every machine itself. The prefixes 0.0.0.0/0 and ::/0 are allowed and mean all
addresses.""",
    ),
    "E419": Explained(
        "a group address as source",
        """The lowest bit of a MAC address's first byte marks a group (multicast), and no frame comes from a group.
Switches drop such frames. Locally administered addresses begin with 02.""",
    ),
    "E420": Explained(
        "a multicast address as a tunnel endpoint",
        """224.0.0.0/4 and ff00::/8 are groups of machines, but a tunnel has one endpoint. Sending one packet to many
receivers, as VXLAN does for broadcasts with a group address, is not in this release. Give the unicast
address of the tunnel endpoint, and a row for each of several endpoints.""",
    ),
    "E421": Explained(
        "not the MAC address of a receiver",
        """No receiver accepts an inner frame to 00:00:00:00:00:00. It is usually a placeholder that was not replaced.
On the receiving machine, `ip link show` prints the address of the device that receives the inner frames,
for example its vxlan device.""",
    ),
    "E422": Explained(
        "a range that ends before it begins",
        """A range is FIRST-LAST with both ends included.

    destination_port: 8000-8999""",
    ),
    "E424": Explained(
        "a prefix where one address is needed",
        """A tunnel endpoint is one machine, and in a key with several address words only the last may contain
prefixes. Write a single address.""",
    ),
    "E428": Explained(
        "not a time",
        """A time has a unit: `s`, `m` or `h`. A bare number could be seconds or milliseconds.

    learn: {for: replies, capacity: 200000, idle: 350s}""",
    ),
    "E427": Explained(
        "options that conflict",
        """An option is found by its class and type and referred to by its name, so in one header both must be unique.
If two encapsulations have an option of the same name, its length must be the same in both. All options of a
header together are limited to what its length field can express: 252 bytes in Geneve.

    - geneve:
        vni: 1
        options: [{class: 0x0108, type: 1, length: 8, name: eni, value: received}]""",
    ),
    "E425": Explained(
        "an address of the other family",
        """The type is IPv4 and the address is IPv6, or the reverse. Type `ip` accepts both.""",
    ),
    "E429": Explained(
        "several fields for the outer destination",
        """The family of a row's outer destination decides whether its outermost header is IPv4 or IPv6. In a table
with several encapsulations of either family it is read from one field, so all of them must use the same
field.

    endpoints:
      exits: {fields: {address: ip, key: u32}, encapsulation: [gre, ipip]}   # both go to endpoint.address""",
    ),
    "W426": Explained(
        "a group address as the inner destination",
        """The inner frame goes to a broadcast or multicast MAC address. Linux drops TCP in such frames and forwards
none of them. The address is right only if the receiver is known to accept it, as some routers do. Otherwise
give the address of the receiver's device, which `ip link show` prints there.""",
    ),
    "W427": Explained(
        "a link-local address as a tunnel endpoint",
        """169.254.0.0/16 and fe80::/10 are addresses on one link: no router forwards packets to them, and on another
link the same address is another machine. They work only if both tunnel endpoints are on the same link, on
every machine that runs this spec.""",
    ),
}
