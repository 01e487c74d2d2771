"""E5xx and W5xx: rules."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "E501": Explained(
        "the same condition twice",
        """Two rules match exactly the same packets. The first always decides, so the second would never apply. After a
rule with `on_miss: next`, the same condition is allowed.""",
    ),
    "W502": Explained(
        "a rule that never applies",
        """An earlier rule matches everything that this one matches, and the first match wins. Put the narrower rule
first.

    - {name: web, match: {destination: 10.1.0.0/16, protocol: tcp}, to: fast}
    - {name: all, match: {destination: 10.0.0.0/8}, to: sites}""",
    ),
    "E503": Explained(
        "ports without a protocol that has ports",
        """Only tcp, udp and sctp packets have ports. Without `protocol` the rule would read other protocols' bytes as
ports, or silently match less than it says.

    match: {protocol: [tcp, udp], destination_port: 53}""",
    ),
    "E504": Explained(
        "a protocol of the other IP family",
        """ICMP and IGMP belong to IPv4, ICMPv6 to IPv6. A rule that matches one between addresses of the other
family matches nothing.""",
    ),
    "E505": Explained(
        "source and destination of different families",
        """No packet has an IPv4 source and an IPv6 destination. Write one rule for each family.""",
    ),
    "E506": Explained(
        "a row of a table with a key",
        """In a table with a key, the packet's own fields select the row. Name only the table, or use a table without a
key, whose rows have names.

    to: sites""",
    ),
    "E507": Explained(
        "a table without a key, and no row named",
        """Rows of a table without a key are found by name only. Name the row in the rule, or give the table a key.

    to: exits/fra
    sites: {key: destination, ...}""",
    ),
    "E508": Explained(
        "a table without an encapsulation",
        """A row determines the encapsulation. A table that rules refer to by `to` names one encapsulation, or several
of which each row selects one.

    sites: {key: destination, fields: {address: ip}, encapsulation: ipip, ...}""",
    ),
    "E509": Explained(
        "`lookup` in a table with another key",
        """`lookup` finds a row by a field of a received header, so the table's key must be that field:

    vnis: {key: received.vxlan.vni, fields: {mark: u32}, file: vnis.csv, capacity: 4096}""",
    ),
    "E510": Explained(
        "`lookup` by a field that the stack does not have",
        """The table's key is a field of a header that the decapsulated stack does not have, or does not set.""",
    ),
    "E511": Explained(
        "a tenant's number that is not checked",
        """The stack's VNI or key comes from the row (`endpoint.vni`), so on receive any number would be accepted, and
every tenant could reach every other. List the accepted numbers in a table keyed by the received field, and
name that table in the rule.

    endpoints:
      vnis: {key: received.vxlan.vni, fields: {mark: u32}, file: vnis.csv, capacity: 4096}
    ingress:
      rules:
        - {name: peers, decapsulate: vxlan, from: sites.address, lookup: vnis, set_mark: endpoint.mark}

with a file vnis.csv like

    received.vxlan.vni,mark
    1001,0x1001

If there is only one tenant, a literal is simpler: `vxlan: {vni: 1001}` needs no lookup.""",
    ),
    "E512": Explained(
        "a mark from a row that is not looked up",
        """On receive, `endpoint.` is the row that `lookup` found, and this rule has no `lookup`. Add one, or set a
number.

    - {name: peers, decapsulate: gre, from: any, lookup: keys, set_mark: endpoint.mark}""",
    ),
    "E513": Explained(
        "two encapsulations look the same on receive",
        """A received packet is matched to an encapsulation by its outer protocol, its UDP destination port and its
destination, an address of this host. If these are the same for both, constants that always differ can
distinguish them: GUE's variant, a next-header value, or a literal VNI or key. Here nothing distinguishes
them, so the second encapsulation would never receive a packet. Give them different ports, source host
values or constants, or use one encapsulation for both and look up the VNI or key.

    vxlan:
      - ...
      - vxlan: {vni: endpoint.vni}
    ...
    - {name: peers, decapsulate: vxlan, from: sites.address, lookup: vnis}""",
    ),
    "E514": Explained(
        "an encapsulation that cannot be recognised",
        """A field that names the next header, such as the UDP destination port, varies by row. On receive the row is
not known yet, so the port cannot be recognised. Use a literal, or decapsulate a separate encapsulation.""",
    ),
    "E515": Explained(
        "`from` names a field that is not an address",
        """`from: TABLE.FIELD` lists the accepted outer sources, so the field's type must be ip, ipv4 or ipv6.

    from: sites.address""",
    ),
    "W510": Explained(
        "a value twice in one list",
        """The value is in the list twice. This is harmless, but one of them was probably meant to be another value.""",
    ),
    "W511": Explained(
        "packets that never reach the rules",
        """Link-local addresses and link-scope multicast (169.254.0.0/16, 224.0.0.0/24, fe80::/10, ff01::/16,
ff02::/16) pass before the rules, because neighbour discovery and routing protocols must not be
encapsulated.""",
    ),
    "W512": Explained(
        "a table keyed by ports, for packets without ports",
        """Only tcp, udp and sctp packets have ports, so the table has no row for others, and `on_miss` applies: by
default they are dropped, including ICMP. Restrict the rule to these protocols, and handle the others in a
rule of their own.

    - {name: flows, match: {protocol: [tcp, udp]}, to: flows}""",
    ),
    "E519": Explained(
        "a spec without rules",
        """Nothing is encapsulated, dropped or decapsulated: every packet passes unchanged.""",
    ),
    "E520": Explained(
        "more rules than a program can hold",
        """Each rule becomes code, and one program can have only so much of it: 500 rules in a direction, and 4000
prefixes, ports and other values in them. Whatever grows with the network belongs in a table: its rows are
in a map, one lookup finds a row among 100 000, and rows change without compiling. Write rules that differ
only in their destination as one rule:

    sites: {key: destination, fields: {address: ip}, encapsulation: ipip, file: sites.csv, capacity: 100000}
    - {name: sites, match: {destination: 10.0.0.0/8}, to: sites}

Other match words can be part of the key too: `key: [mark, destination]`. Prefixes to drop or pass need one
rule with a set, which is one lookup however long the set is:

    sets: {blocked: {file: blocked.txt}}
    - {name: blocked, match: {destination: blocked}, action: drop}""",
    ),
    "W517": Explained(
        "a mark that no rule reflects",
        """Packets that arrive get this mark and their headers are learned, but every rule that reflects them matches
other marks. Later rules then decide, and the packets mostly leave unencapsulated: a gateway load balancer
loses them, and others can read them. Give the row a mark that the rules match, or add the row's mark to the
rules.""",
    ),
    "W530": Explained(
        "an untested kernel",
        """`kernel` is the oldest kernel on which the object must load, and the compiler uses that kernel's features.
This one is newer than all kernels in docs/kernels.md, so the programs were not tested on it. If it is a
mistake, write the oldest kernel of the fleet.""",
    ),
    "W521": Explained(
        "many rules",
        """500 rules in a direction are the most that a program can hold, and this spec has more than half of them.
Compiling and loading take seconds then. Combine rules that differ only in their destination into one rule
with a table or a set, as `encap-compile explain E520` shows.""",
    ),
    "E522": Explained(
        "more counters than a map may hold",
        """Counters are kept for each CPU, so that packets on different CPUs do not wait for each other. A program may
take 1 MiB of each CPU's memory for them: 65536 counters. Each rule has one or two, and each encapsulation that is
received has one for each reason to refuse a packet. Rules that differ in their destination alone are one rule and
a table; encapsulations that differ in a value alone are one, which takes the value from the row.""",
    ),
    "E525": Explained(
        "sending to a table that is keyed by a received field",
        """An outgoing packet has no received header to look up. Such a table is only for `lookup` in ingress rules.""",
    ),
    "E516": Explained(
        "reflecting a rule that learns nothing",
        """A packet can only be reflected if an ingress rule learned the headers of the packet that it answers. Add
`learn` to that rule.

    ingress:
      rules:
        - {name: from-lb, decapsulate: gre, from: balancers, learn: {for: replies, capacity: 200000, idle: 350s}}
    egress:
      rules:
        - {name: replies, match: {source: vips}, reflect: from-lb}""",
    ),
    "E517": Explained(
        "a value from a row, but no row",
        """A rule with `reflect` looks up no row, so the values of its encapsulation must be constants, host values,
`packet.` or `received.HEADER.FIELD`. Only the mirrored encapsulation (without `with`) may have `endpoint.`
values: a reply gets the received values in their place, with source and destination swapped.""",
    ),
    "E518": Explained(
        "a received field that does not exist",
        """`received.HEADER.FIELD` names a header of the encapsulation that the reflected ingress rule decapsulates,
and a field that a spec can set. `received.ip.source` is the outer source, of either family.""",
    ),
    "E527": Explained(
        "a received value in an encapsulation for rows",
        """A packet that a rule sends `to` a table answers no received packet. Give the table an encapsulation of its
own, with `endpoint.`, `host.` or constant values.""",
    ),
    "E528": Explained(
        "a received value in an encapsulation that reflects nothing",
        """Only a reflected packet has received headers. An egress rule must use the encapsulation for them, with
`reflect` alone or with `with`.""",
    ),
    "W513": Explained(
        "learned headers that no rule uses",
        """The ingress rule learns headers, which costs memory and time, but no egress rule reflects them.""",
    ),
    "W514": Explained(
        "learning from anyone",
        """Replies go to whoever sent the last packet of a flow. With `from: any`, anyone who can guess a flow's
addresses and ports can redirect its replies. List the load balancers or gateways that you trust, and filter
spoofed sources at the edge.""",
    ),
    "E526": Explained(
        "`from` has addresses of the other family only",
        """The encapsulation's outer header is IPv4 and all addresses in `from` are IPv6, or the reverse: no packet can
match. The outer source is checked here, not the inner one.""",
    ),
    "E540": Explained(
        "a choice from a table with a key",
        """A socket chooses a row by name: `TABLE/ROW`. In a table with a key, the packet's own fields select the row,
and rows need no names. Let sockets choose from a table without `key`.

    exits: {fields: {address: ip}, encapsulation: ipip, rows: [{name: fra, address: 192.0.2.1}]}
    - {name: chosen, socket: [exits]}""",
    ),
    "E541": Explained(
        "no cgroup for the sockets that choose",
        """Programs on a cgroup handle setsockopt() of sockets that choose, and rules name cgroups by their paths below
it, so the spec must name that cgroup. `/` is the root of the hierarchy and means every socket of the
machine; a path or a host value of type `cgroup` is smaller, for example one container.

    attach: {devices: [host.uplink], cgroup: /}""",
    ),
    "E542": Explained(
        "more cgroups than a program distinguishes",
        """Each named cgroup is one bit in a 64-bit word. For more cgroups, match their parent and find the row by a
table:

    tenants: {key: cgroup, fields: {address: ip}, encapsulation: ipip, file: tenants.csv, capacity: 1000}
    - {name: tenants, match: {cgroup: tenants.slice}, to: tenants}""",
    ),
    "E543": Explained(
        "records that are kept too briefly",
        """A closed connection has no socket any more, but the kernel may still answer for it for a minute (TIME_WAIT),
and reset a peer that keeps sending for longer. These packets are attributed by the record of their
connection. If that expires too early, they belong to no socket, and rules by socket or cgroup do not match
them.

    egress: {remember: {capacity: 65536, idle: 30m}, ...}""",
    ),
    "E544": Explained(
        "a cgroup where the socket is not known",
        """Ingress rules apply before the kernel has found the packet's socket. Match its destination, protocol and
port instead.""",
    ),
    "E545": Explained(
        "two tables keyed by cgroup",
        """Only one cgroup is recorded for a packet: the innermost that is in a row. With two tables, it could be one
that only the other table has.""",
    ),
    "E546": Explained(
        "cgroups in compiled rows",
        """The kernel gives each new cgroup a new ID. `encapctl` looks up the IDs and writes them into the table's map,
which is not possible for compiled rows.""",
    ),
    "E547": Explained(
        "not known at connect",
        """When a socket connects, there is no packet yet. Known are the destination, the protocol and port, the mark,
and the cgroup in which the socket was created. Its own address and port are chosen later.""",
    ),
    "E548": Explained(
        "a choice that no egress rule uses",
        """A connect rule chooses a row for the socket, as its application could. An egress rule with `socket` applies
the choice, at its place among the other rules. Without one, the choice has no effect.

    connect: {rules: [{name: web, match: {destination_port: 443, protocol: tcp}, choose: exits/fra}]}
    egress: {rules: [{name: chosen, socket: [exits]}], default: pass}""",
    ),
    "E549": Explained(
        "a name that applications cannot use",
        """Where sockets choose, the bundle has a C header and a Python module for the applications, named after the
spec. A name that the C library, Python or the bundle itself already uses would hide one of the two files as
soon as the bundle's folder is searched first.

    name: exits      # exits.h and exits.py""",
    ),
    "W515": Explained(
        "an attached cgroup that nothing uses",
        """`attach: cgroup` names the cgroup whose sockets may choose. No rule has `socket`, and no match or key has
`cgroup`, so nothing is attached there.""",
    ),
    "W516": Explained(
        "nothing to record",
        """`remember` is the size of the table that records sockets and cgroups of connections, for packets without a
socket. Learned flows have a size of their own, in `learn`.""",
    ),
    "W520": Explained(
        "`unattached` without sockets or cgroups",
        """`unattached` decides about packets of sockets and cgroups that rules encapsulate, if their route leaves by a
device that is not attached. A spec without `socket` and `cgroup` attaches no program to cgroups, so it
cannot see packets on other devices.""",
    ),
}
