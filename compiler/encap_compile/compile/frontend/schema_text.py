"""What the schema says about each key, as Markdown. Editors show it, and `docs/spec.md` is made from it."""

from __future__ import annotations

WAS = (
    "What the rule was called before: its counters go on where those of that name stopped. It may be left out again "
    "once every machine has applied it."
)
TEXT: dict[str, str] = {
    "spec": "Packet encapsulation for one kind of machine: one spec is one reviewed file, and becomes one bundle.",
    "apiVersion": "The version of the language. `v1alpha1` may still change between releases.",
    "name": "The name of the spec and its bundle: `build/NAME/`.",
    "kernel": (
        "The oldest kernel that the bundle must load on, in quotes. What needs a newer one is an error that says so."
    ),
    "preset": (
        "A known role of a machine, in place of the spec for it: docs/presets.md has them all, written out. What else "
        "is written is added to it; `encap-compile explain` shows the whole."
    ),
    "host": (
        "Values that differ per machine. They are never compiled in: `encapctl` sets them when it loads, so "
        "one object serves every machine. The rest of the spec refers to them as `host.NAME`."
    ),
    "host_value": "A type, or a mapping with `type` and `default`.",
    "host_value.type": (
        "`device` is a network device, `devices` several; `cgroup` is a path in the cgroup2 hierarchy; `ip` is one "
        "IPv4 and one IPv6 address, of which a header takes its own family."
    ),
    "host_value.default": (
        "Where the value comes from when the machine gives none: an attribute of a device, `DEVICE.address`, "
        "`DEVICE.mac`, `DEVICE.mtu` or `DEVICE.ifindex`."
    ),
    "attach": "Where the programs go. Required, unless a preset says it.",
    "attach.devices": (
        "The devices whose TC hooks run the programs: host values of type `device`, or one of type `devices`."
        " Each device has its own instance; all share the maps."
    ),
    "attach.cgroup": (
        "The cgroup whose sockets may choose, with all below it: a path in the cgroup2 hierarchy, `/` for its root, or "
        "a host value of type `cgroup`. What `cgroup` names in rules and keys lies below it."
    ),
    "sets": "Named lists of prefixes, for `destination`, `source` and `from`.",
    "set": "A list of prefixes, or a file with one prefix a line.",
    "set.file": "A file with one prefix a line, relative to the spec and in its folder or below; `#` begins a comment.",
    "encapsulations": "Stacks of headers by name, each as it is sent, outermost first.",
    "encapsulation": (
        "A list of headers, outermost first, each a mapping of one key: `- udp: {checksum: zero}`. "
        "Decapsulation exchanges outer source and destination and requires constants and host values to "
        "match."
    ),
    "endpoints": "Tables of the other ends. Their rows are map contents: they change without compiling.",
    "table": "A table of rows, typed.",
    "table.key": (
        "What a packet is looked up by: match words, or one `received.HEADER.FIELD` for a table that a "
        "`lookup` names. Of the address words only the last may hold prefixes. Without a key, rows are found "
        "by their `name`."
    ),
    "table.fields": "What each row holds: field names and their types. Headers refer to them as `endpoint.NAME`.",
    "table.encapsulation": "The encapsulation that rows of this table take; of several, each row names its own.",
    "table.rows": "The rows, in the spec: a mapping of columns (`name`, `encapsulation`, key words, fields) each.",
    "table.file": (
        "A CSV file with the rows, relative to the spec and in its folder or below. Its first line names the "
        "columns, in any order."
    ),
    "table.capacity": (
        "The most rows that the map can hold. Needed with `file`; without it the map holds the next power "
        "of two, at least 16."
    ),
    "table.fixed": (
        "Compile the rows into the program: at most 64, and a change of a row is then a change of the program."
    ),
    "table.shape": (
        "Promises about the rows, which let the compiler choose a faster lookup and which every row is held to."
    ),
    "shape.prefix_lengths": "The only prefix lengths that occur in the key.",
    "table.owner": "Who writes the rows. `git`: this spec and its files; `apply` makes the map equal to them.",
    "connect": (
        "What is chosen for a socket when it connects, if it has not chosen itself. The choice stays with the socket; "
        "egress rules with `socket` say what comes of it."
    ),
    "connect.rules": "The first rule that matches decides; if none does, nothing is chosen.",
    "connect_rule": "A rule for sockets that connect: exactly one of `choose` and `action`.",
    "connect_rule.name": "Unique among all rules; counters carry it.",
    "connect_rule.was": WAS,
    "connect_rule.match": (
        "What is known at connect: `destination`, `protocol`, `destination_port`, `mark` and `cgroup`; everything, if "
        "it is left out."
    ),
    "connect_rule.choose": "`TABLE/ROW`, as an application would choose it.",
    "connect_rule.action": "`pass`: nothing is chosen.",
    "egress": "What happens to packets that leave through the attached devices.",
    "egress.rules": "The first rule that matches decides. At most 500: what grows is a table or a set.",
    "egress.default": "What happens to packets that no rule matches.",
    "egress.next_hop": (
        "`keep`: the packet goes to the inner packet's next hop, and `plan` proves that it is the outer's "
        "too. `route`: it goes to the outer destination's own neighbour."
    ),
    "egress.segmentation": (
        "`off`: encapsulations are allowed whose headers the kernel cannot write in each segment of a GSO packet, as a "
        "second UDP header's length. Such a packet is dropped and counted as `egress_gso`, so the attached devices "
        "must not be given any: `ip link set dev DEVICE gso_max_segs 1`."
    ),
    "egress.boot": (
        "What becomes of packets before anything is applied: after a reboot, or while an attached device is missing. "
        "`open`: they leave unencapsulated. `closed`: the prefixes that rules which encapsulate name literally have no "
        "route until `encapctl` has applied; see `encapctl unit`."
    ),
    "egress.remember": (
        "Packets whose socket is gone (a reset, the last acknowledgement of a closed connection) take the decision of "
        "their flow. For how many TCP connections of choosing sockets and named cgroups, and how long."
    ),
    "mtu": "How packets fit on the way, with the headers that are put before them.",
    "mtu.clamp_mss": (
        "Lower the maximum segment size in the SYN and SYN-ACK of every flow that a rule encapsulates, in both "
        "directions, by the most that a row can add; and of flows that come in by a tunnel and are answered without "
        "one."
    ),
    "mtu.too_big": (
        "What happens to a packet that would not fit the device with its headers. `icmp`: it is dropped, and its "
        'sender is told what fits, by ICMP "fragmentation needed" or ICMPv6 "packet too big"; an IPv4 packet that '
        "may be fragmented (without DF) is dropped alone. `drop`: it is dropped. Both are counted."
    ),
    "remember.capacity": "For how many connections it is made; some more are kept. Its memory is taken at load.",
    "remember.idle": "How long after a connection's last packet: a number with `s`, `m` or `h`.",
    "egress.unattached": (
        "What happens to a packet that a rule encapsulates when its route leaves by a device that is not attached, so "
        "that no program encapsulates it. It holds for sockets in the cgroups of rules with `socket` or `cgroup`. "
        "`drop`: it is dropped and counted, and the sender gets EPERM. `pass`: it leaves unencapsulated."
    ),
    "egress_rule": "A rule for packets that leave: exactly one of `to`, `socket`, `reflect` and `action`.",
    "egress_rule.name": "Unique among all rules; counters carry it.",
    "egress_rule.was": WAS,
    "egress_rule.match": "What the packet must be; everything, if it is left out.",
    "egress_rule.to": "`TABLE`, whose row the packet's key finds, or `TABLE/ROW` of a table without a key.",
    "egress_rule.socket": (
        "The rows that a socket may choose for itself by setsockopt: `TABLE` for all of a table, or `TABLE/ROW`. A "
        "packet whose socket chose none of them goes to the next rule."
    ),
    "egress_rule.action": "`pass` leaves the packet as it is, unencapsulated; `drop` drops and counts it.",
    "egress_rule.reflect": (
        "An ingress rule with `learn`: the packet gets the headers that came in with what it answers (or continues), "
        "source and destination exchanged. A packet of a flow that is not known goes to the next rule."
    ),
    "egress_rule.with": (
        "The encapsulation for what is reflected, if not the mirror of what came in; it may refer to "
        "`received.HEADER.FIELD`."
    ),
    "egress_rule.on_miss": ("What happens when the table has no such row (any more). `next` goes on to the next rule."),
    "match": "Conditions on the inner packet. All that are given must hold; of a list, one suffices.",
    "match.destination": "Prefixes, addresses, or names of sets.",
    "match.source": "Prefixes, addresses, or names of sets.",
    "match.protocol": "IP protocols, by name (`tcp`, `udp`, `icmp`, `icmpv6`, `sctp`, `gre`, `esp` ...) or number.",
    "match.destination_port": "Ports or ranges, `8000-8999`. Needs `protocol` tcp, udp or sctp.",
    "match.source_port": "Ports or ranges, `8000-8999`. Needs `protocol` tcp, udp or sctp.",
    "match.dscp": "Differentiated services code points, by name (`ef`, `af41`, `cs1` ...) or number.",
    "match.mark": "Values or ranges of the packet's mark (`skb->mark`), `0x1000-0x1fff`.",
    "match.cgroup": (
        "Where the packet's socket was made: cgroups by their path below the attached one, with all below them. One "
        "that is not there yet is pending, and `encapctl` shows it."
    ),
    "ingress": "What happens to encapsulated packets that arrive at the attached devices.",
    "ingress.rules": "The first rule that fits decapsulates. At most 500: what grows is a table or a set.",
    "ingress.refuse": "What happens to a packet that looks like our encapsulation, is sent to us, and fits no rule.",
    "ingress_rule": "A rule for packets that arrive.",
    "ingress_rule.name": "Unique among all rules; counters carry it.",
    "ingress_rule.was": WAS,
    "ingress_rule.decapsulate": "The encapsulation to decapsulate.",
    "ingress_rule.from": (
        "Who may send it, by outer source address: prefixes, set names, a field of a table as `TABLE.FIELD`, or `any`."
    ),
    "ingress_rule.match": "What the inner packet must be.",
    "ingress_rule.lookup": "A table keyed by `received.HEADER.FIELD`: the packet's VNI or key must be in it.",
    "ingress_rule.learn": "Keep the headers that came in, for an egress rule that reflects them.",
    "learn": "What is kept of the headers that came in, for which packets, how much and how long.",
    "learn.for": (
        "`replies`: the packets that answer what came in, as servers send. `forwarded`: the same packets on their way "
        "out again, as appliances send. `both`."
    ),
    "learn.capacity": "For how many flows it is made; some more are kept. Its memory is taken at load.",
    "learn.idle": "After how long without a packet a flow is forgotten: a number with `s`, `m` or `h`.",
    "ingress_rule.set_mark": (
        "The mark that the decapsulated packet gets: a number, or `endpoint.FIELD` of the row that `lookup` found."
    ),
    "tests": (
        "Packets, and what the spec is to do with them. `encap-compile test` runs them; they change no byte of the "
        "bundle."
    ),
    "tests.host": (
        "Host values of the machine that the tests run on, by their names, and `DEVICE.mtu`. Others are invented: "
        "192.0.2.77 and 2001:db8::77, 02:00:00:00:00:77, an MTU of 1500, 1 for numbers."
    ),
    "tests.packets": "The tests, each with one packet or one socket that connects.",
    "test": "A packet or a socket, and what is expected of it. Each test begins on a machine that has seen no packet.",
    "test.name": "A name of its own, for reports.",
    "test.leaves": "The packet leaves this machine by an attached device: it meets the egress rules.",
    "test.arrives": "The packet comes in by an attached device: it meets the ingress rules.",
    "test.connects": "A socket connects: it meets the connect rules.",
    "test.after": (
        "Tests above it whose packets the machine meets first: what it learns from them counts. After a test that "
        "`connects`, what leaves from that cgroup to that destination, protocol and port is sent by its socket."
    ),
    "test.expect": "What must become of it. What is not written is not compared.",
    "leaving": "An IP packet by the words of a match, and what its socket says.",
    "arriving": "An IP packet by the words of a match, and the headers that it comes in.",
    "connecting": "A socket at connect(), by the words of a match.",
    "connecting.destination": "The address that it connects to.",
    "connecting.protocol": "A name or a number. Without it: `tcp`.",
    "connecting.mark": "The mark of the socket.",
    "packet.source": "Its address: one, not a prefix. The family of the packet follows from it.",
    "packet.destination": "Its address, of the same family.",
    "packet.protocol": "A name or a number. Without it: `tcp` where ports are written, else `udp`.",
    "packet.source_port": "Of TCP, UDP and SCTP. Without it: 40000.",
    "packet.destination_port": "Of TCP, UDP and SCTP. Without it: 9.",
    "packet.dscp": "A name or a number. Without it: 0.",
    "packet.ecn": "The two bits of RFC 3168.",
    "packet.ttl": "TTL or hop limit.",
    "packet.df": 'The bit "don\'t fragment" of IPv4. One that is too big is answered only if it is set.',
    "packet.mark": "The mark of the socket buffer.",
    "packet.length": "Bytes from the IP header on. Without it: as short as its headers and 32 bytes of payload.",
    "packet.fragment": "It is a fragment: the `first` one of a packet, or a `later` one, which shows no ports.",
    "packet.cgroup": "The cgroup that its socket was made in, a path below the attached one.",
    "packet.chose": "The row that its socket chose, `TABLE/ROW`.",
    "packet.encapsulation": "The encapsulation that it comes in. Without it: none.",
    "packet.received": (
        "Fields of the headers that it comes in, by `HEADER.FIELD`. `ip.source` is needed. What is not written is as "
        "this spec itself would send it, to an address of this host; fields that rows give are 0. Options go by their "
        "names; a whole variable-length part, as `gue.private` or `geneve.options`, is quoted hexadecimal digits."
    ),
    "expectation": "The verdict, and what else must be so.",
    "expect.verdict": (
        "`encapsulate` and `decapsulate` say that it goes on with headers or without them; `pass` that it goes on as "
        "it is, `drop` that it does not, `answer` that its sender is told by ICMP what fits. Of a socket that "
        "connects: `choose` says that a row is chosen for it, `pass` that none is."
    ),
    "expect.rule": "The rule that decided; `default` where none did.",
    "expect.row": "The row that was found: its name, or without names its line in the file.",
    "expect.sent": (
        "Fields of the headers that it leaves in, by `HEADER.FIELD`: also options by their names, and a whole "
        "variable-length part, as `gue.private`, as quoted hexadecimal digits."
    ),
    "expect.mark": "The mark that it goes on with.",
    "expect.counter": "A counter that counts it.",
}
