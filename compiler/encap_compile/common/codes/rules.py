"""E5xx and W5xx: rules."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "E501": Explained(
        "the same condition twice",
        """Two rules match exactly the same packets. The first always decides, so the second would never do
what it says. A rule whose `on_miss` is `next` hands over, and may be followed by the same
condition.""",
    ),
    "W502": Explained(
        "a rule that never gets its turn",
        """An earlier rule matches everything that this one matches, and the first match wins. Put the narrower
rule first.

    - {name: web, match: {destination: 10.1.0.0/16, protocol: tcp}, to: fast}
    - {name: all, match: {destination: 10.0.0.0/8}, to: sites}""",
    ),
    "E503": Explained(
        "ports without a protocol that has them",
        """Only tcp, udp and sctp packets have ports where this rule looks. Without `protocol` the rule would
read bytes of other protocols as ports, or silently mean something narrower than it says.

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
        """In a table with a key the packet's own fields choose the row. Name the table alone, or send to a
table without a key, whose rows have names.

    to: sites""",
    ),
    "E507": Explained(
        "no key to find a row by",
        """A table without a key finds rows by name only, so a rule that sends to it names the row; or the
table gets a key.

    to: exits/fra
    sites: {key: destination, ...}""",
    ),
    "E508": Explained(
        "a table without an encapsulation",
        """The row chooses the encapsulation: a table that rules send to names one, or several of which each
row takes one.

    sites: {key: destination, fields: {address: ip}, encapsulation: ipip, ...}""",
    ),
    "E509": Explained(
        "`lookup` in a table of another kind",
        """`lookup` finds a row by a field of the header that came in. The table's key is that field:

    vnis: {key: received.vxlan.vni, fields: {mark: u32}, file: vnis.csv, capacity: 4096}""",
    ),
    "E510": Explained(
        "`lookup` by a field that does not come in",
        """The table is keyed by a field of a header that the decapsulated stack does not have, or does not
set.""",
    ),
    "E511": Explained(
        "a tenant's number that nobody checks",
        """The stack's VNI or key comes from the row (`endpoint.vni`), so on receive any number would be taken,
and every tenant could reach into every other. Name those that may come in: a table keyed by the
received field, and its name in the rule.

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
        """On receive `endpoint.` is the row that `lookup` found. Without `lookup` there is none: add it, or
set a number.

    - {name: peers, decapsulate: gre, from: any, lookup: keys, set_mark: endpoint.mark}""",
    ),
    "E513": Explained(
        "two encapsulations look the same on receive",
        """A packet is taken for an encapsulation by its outer protocol, its UDP destination port and the address of
ours that it comes to. Where these are the same for both, constants that always differ tell them apart: GUE's
variant, what a header names as the next, a VNI or a key that the spec writes out. Here nothing does: the
second would never get a packet. Give them different ports, source host values or constants, or use one
encapsulation for both: a VNI or a key that varies is looked up.

    vxlan:
      - ...
      - vxlan: {vni: endpoint.vni}
    ...
    - {name: peers, decapsulate: vxlan, from: sites.address, lookup: vnis}""",
    ),
    "E514": Explained(
        "an encapsulation that cannot be recognised",
        """A field that names the next header, like the UDP destination port, varies by row. On receive there
is no row yet, so nothing says which port is ours. Make it a literal, or decapsulate a stack of its
own.""",
    ),
    "E515": Explained(
        "`from` names a field that is no address",
        """`from: TABLE.FIELD` lists the outer sources that may send to us, so the field is of type ip, ipv4 or
ipv6.

    from: sites.address""",
    ),
    "W510": Explained(
        "twice in one list",
        """The same value is in the list already. It does no harm, but one of the two was probably meant to be
another.""",
    ),
    "W511": Explained(
        "packets that never come to the rules",
        """Link-local addresses and link-scope multicast (169.254.0.0/16, 224.0.0.0/24, fe80::/10, ff01::/16,
ff02::/16) pass before the rules: neighbour discovery and routing protocols must not go into a
tunnel.""",
    ),
    "W512": Explained(
        "packets without ports and a table keyed by ports",
        """Only tcp, udp and sctp packets have ports, so for all others the table has no row, and `on_miss` decides:
by default they are dropped, ICMP with them. Narrow the rule, and decide about the others in their own.

    - {name: flows, match: {protocol: [tcp, udp]}, to: flows}""",
    ),
    "E519": Explained(
        "a spec without rules",
        """Nothing is encapsulated, dropped or decapsulated: every packet passes as it is.""",
    ),
    "E520": Explained(
        "more rules than a program can hold",
        """Each rule becomes code, and one program can have only so much of it: 500 rules in a direction, and 4000
prefixes, ports and other values in them. What grows with the network belongs in a table: its rows live in
a map, one lookup finds the row among 100 000, and they change without compiling. So rules that differ only in
their destination are one rule:

    sites: {key: destination, fields: {address: ip}, encapsulation: ipip, file: sites.csv, capacity: 100000}
    - {name: sites, match: {destination: 10.0.0.0/8}, to: sites}

Other match words can be part of the key too: `key: [mark, destination]`. Prefixes to drop or pass are one
rule with a set, which is one lookup however long it is:

    sets: {blocked: {file: blocked.txt}}
    - {name: blocked, match: {destination: blocked}, action: drop}""",
    ),
    "W517": Explained(
        "a mark that no rule reflects",
        """What comes in gets this mark and is learned, but every rule that reflects it looks for other marks. So it
leaves by the rules that follow, mostly unencapsulated: to a gateway load balancer it would be lost, to others it
would be seen. Give the row a mark of the rules' range, or the rules the row's.""",
    ),
    "W530": Explained(
        "a kernel that nobody has tested",
        """`kernel` names the oldest kernel that the object must load on, and the compiler uses what that kernel has. Of
one newer than those in docs/kernels.md nobody knows what the program does there. It may be a slip: write the oldest
kernel of the fleet.""",
    ),
    "W521": Explained(
        "many rules",
        """500 rules in a direction are the most that a program can hold, and this spec has more than half of them.
Compiling and loading take seconds then. Rules that differ only in their destination are better one rule with a
table, or with a set, as `encap-compile explain E520` shows.""",
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
        """A packet that leaves has no received header to look up. Such a table is for `lookup` in ingress
rules.""",
    ),
    "E516": Explained(
        "reflecting a rule that learns nothing",
        """A packet can be reflected if the headers of what it answers were kept. The ingress rule says so.

    ingress:
      rules:
        - {name: from-lb, decapsulate: gre, from: balancers, learn: {for: replies, capacity: 200000, idle: 350s}}
    egress:
      rules:
        - {name: replies, match: {source: vips}, reflect: from-lb}""",
    ),
    "E517": Explained(
        "a value from a row, and there is no row",
        """A rule with `reflect` looks into no table: the values of its encapsulation are constants, host values,
`packet.` and `received.HEADER.FIELD`. The mirror of what came in (no `with`) may have `endpoint.` values:
an answer gets what was received in their place, source and destination exchanged.""",
    ),
    "E518": Explained(
        "a received field that is not there",
        """`received.HEADER.FIELD` names a header of the encapsulation that the reflected ingress rule decapsulates,
and a field that a spec can set. `received.ip.source` is the outer source, of either family.""",
    ),
    "E527": Explained(
        "a received value in an encapsulation for rows",
        """What a rule sends `to` a table answers nothing that came in. Give the table an encapsulation of its
own, whose values are `endpoint.`, `host.` or constants.""",
    ),
    "E528": Explained(
        "a received value that nothing received",
        """Only a packet that is reflected has something that came in before it: some egress rule must name the
encapsulation, by `reflect` alone or with `with`.""",
    ),
    "W513": Explained(
        "learned for nothing",
        """The ingress rule keeps what came in, which costs memory and time, and no egress rule reflects it.""",
    ),
    "W514": Explained(
        "learning from anyone",
        """Replies go to whoever sent the last packet of a flow. With `from: any`, anyone who can guess a flow's
addresses and ports can have its replies sent to himself. Name the load balancers or gateways that you trust,
and filter spoofed sources at the edge.""",
    ),
    "E526": Explained(
        "`from` has addresses of the other family only",
        """The encapsulation's outer header is IPv4 and all sources that may send are IPv6, or the reverse: no
packet can fit. The outer source is checked here, not the inner one.""",
    ),
    "E540": Explained(
        "a choice from a table with a key",
        """A socket names the row that it wants: `TABLE/ROW`. In a table with a key the packet's own fields choose
the row, and rows need no names. Let sockets choose from a table without `key`.

    exits: {fields: {address: ip}, encapsulation: ipip, rows: [{name: fra, address: 192.0.2.1}]}
    - {name: chosen, socket: [exits]}""",
    ),
    "E541": Explained(
        "no cgroup to look in",
        """Sockets choose by setsockopt, which programs see at a cgroup, and names of cgroups are paths below one.
So the spec says which: `/` is the root of the hierarchy and means every socket of the machine, a path or a host
value of type `cgroup` something smaller, like one container.

    attach: {devices: [host.uplink], cgroup: /}""",
    ),
    "E542": Explained(
        "more cgroups than a program distinguishes",
        """Which of the named cgroups a packet's socket belongs to is one bit each in a word. For many, match their
parent and let the table find the row:

    tenants: {key: cgroup, fields: {address: ip}, encapsulation: ipip, file: tenants.csv, capacity: 1000}
    - {name: tenants, match: {cgroup: tenants.slice}, to: tenants}""",
    ),
    "E543": Explained(
        "a memory too short",
        """A connection that is closed has no socket any more, and for a minute it may still have to answer
(TIME_WAIT); a peer that does not know it is closed may send for longer, and is reset. Those packets take the
decision that is remembered of their connection: forgotten too early, they would go to the rules as nobody's.

    egress: {remember: {capacity: 65536, idle: 30m}, ...}""",
    ),
    "E544": Explained(
        "a cgroup where no socket is known",
        """Ingress rules check a packet before the kernel has found the socket that it is for. Match what is known of
it: its destination, protocol and port.""",
    ),
    "E545": Explained(
        "two tables keyed by cgroup",
        """A packet carries one cgroup to the tables: the innermost that is in a row. With two tables it could be one
that only the other has.""",
    ),
    "E546": Explained(
        "cgroups compiled in",
        """The kernel gives a new cgroup a new number. `encapctl` finds the numbers and writes them into the
table's map; rows that are compiled in cannot follow.""",
    ),
    "E547": Explained(
        "not known at connect",
        """When a socket connects there is no packet yet: it has a destination, a protocol and a port, a mark, and the
cgroup that it was made in. Its own address and port are chosen after that.""",
    ),
    "E548": Explained(
        "a choice that no rule takes up",
        """A connect rule chooses for the socket, as the application could by itself. What comes of a choice is said by
an egress rule with `socket`: it has its place among the others, and without one the choice is never looked at.

    connect: {rules: [{name: web, match: {destination_port: 443, protocol: tcp}, choose: exits/fra}]}
    egress: {rules: [{name: chosen, socket: [exits]}], default: pass}""",
    ),
    "E549": Explained(
        "a name that applications cannot use",
        """Where sockets choose, the bundle has a C header and a Python module for the applications, called after the
spec. A name that the C library, Python or the bundle itself has already would hide the one from the other as soon as
the bundle's folder is searched first.

    name: exits      # exits.h and exits.py""",
    ),
    "W515": Explained(
        "a cgroup for nothing",
        """`attach: cgroup` says whose sockets may choose. No rule has `socket`, no match or key has `cgroup`: nothing
will be attached there.""",
    ),
    "W516": Explained(
        "nothing to remember",
        """`remember` is the size of the table in which the decisions of sockets and cgroups are kept for packets that
have no socket. Flows that are learned have a size of their own, in `learn`.""",
    ),
    "W520": Explained(
        "nothing that could leave unattached",
        """`unattached` says what happens to packets of sockets and cgroups that rules encapsulate, when their route
leaves by a device that is not attached. Only sockets are looked at there: a spec without `socket` and `cgroup` attaches
nothing to cgroups, and what leaves by other devices is none of its business.""",
    ),
}
