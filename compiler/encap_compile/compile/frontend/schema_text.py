"""What the schema says about each key, as Markdown. Editors show it, and `docs/spec.md` is made from it."""

from __future__ import annotations

WAS = (
    "The rule's former name: its counters continue the totals of that name. It can be removed once every machine has "
    "applied it."
)
TEXT: dict[str, str] = {
    "spec": "Packet encapsulation for one kind of machine: one spec is one reviewed file, and becomes one bundle.",
    "apiVersion": "The version of the language. `v1alpha1` may still change between releases.",
    "name": "The name of the spec and its bundle: `build/NAME/`.",
    "kernel": (
        "The oldest kernel on which the bundle must load, in quotes. A feature that needs a newer kernel is an error."
    ),
    "preset": (
        "A known role of a machine, which expands to a spec: docs/presets.md shows all of them. The other keys are "
        "added to it; `encap-compile explain` shows the result."
    ),
    "host": (
        "Values that differ per machine. They are never compiled in: `encapctl` sets them when it loads the programs, "
        "so one object serves every machine. The rest of the spec refers to them as `host.NAME`."
    ),
    "host_value": "A type, or a mapping with `type` and `default`.",
    "host_value.type": (
        "`device` is a network device, `devices` several; `cgroup` is a path in the cgroup2 hierarchy; `ip` is one "
        "IPv4 and one IPv6 address, of which a header uses that of its family."
    ),
    "host_value.default": (
        "The default if the machine does not set the value: an attribute of a device, `DEVICE.address`, `DEVICE.mac`, "
        "`DEVICE.mtu` or `DEVICE.ifindex`."
    ),
    "attach": "Where the programs are attached. Required, unless a preset has it.",
    "attach.devices": (
        "The devices whose TC hooks run the programs: host values of type `device`, or one of type `devices`. Each "
        "device has its own program instance; all share the maps."
    ),
    "attach.cgroup": (
        "The cgroup whose sockets may choose, including its descendants: a path in the cgroup2 hierarchy, `/` for its "
        "root, or a host value of type `cgroup`. Cgroups in rules and keys are below it."
    ),
    "attach.route_device": (
        "A device that `encapctl` creates and routes the inner prefixes of rules with `to` to. Its MTU is that of the "
        "inner packets, so the kernel knows the overhead; without the program on it, nothing leaves. The rules apply "
        "there as at `devices`, and encapsulated packets leave by the device that the route of the tunnel endpoint "
        "names."
    ),
    "route_device": "The device that inner prefixes are routed to.",
    "route_device.name": "The name of the network device, at most 15 characters.",
    "sets": "Named lists of prefixes, for `destination`, `source` and `from`.",
    "set": "A list of prefixes, or a file with one prefix a line.",
    "set.file": "A file with one prefix a line, relative to the spec and in its folder or below; `#` begins a comment.",
    "encapsulations": "Stacks of headers by name, as they are sent, outermost first.",
    "encapsulation": (
        "A list of headers, outermost first, each a mapping of one key: `- udp: {checksum: zero}`. On receive, outer "
        "source and destination are swapped, and constants and host values must match."
    ),
    "endpoints": "Tables of tunnel endpoints. Their rows are map contents, which change without compiling.",
    "table": "A typed table of rows.",
    "table.key": (
        "How a packet finds its row: match words, or one `received.HEADER.FIELD` for a table that a `lookup` names. "
        "Of the address words only the last may contain prefixes. Without a key, rows are found by their `name`."
    ),
    "table.fields": "The fields of each row, with their types. Headers refer to them as `endpoint.NAME`.",
    "table.encapsulation": "The encapsulation of this table's rows. If there are several, each row names its own.",
    "table.rows": "The rows, each a mapping of columns (`name`, `encapsulation`, key words, fields).",
    "table.file": (
        "A CSV file with the rows, relative to the spec and in its folder or below. Its first line names the "
        "columns, in any order."
    ),
    "table.capacity": (
        "The most rows that the map can hold. Required with `file`; without it, the map holds the next power of two, "
        "at least 16."
    ),
    "table.fixed": "Compile the rows into the program: at most 64, and a change of a row is a change of the program.",
    "table.shape": (
        "Properties of all rows, which let the compiler choose a faster lookup. Every row is checked against them."
    ),
    "shape.prefix_lengths": "The only prefix lengths that occur in the key.",
    "table.owner": "Who manages the rows. `git`: this spec and its files; `apply` makes the map equal to them.",
    "connect": (
        "The choice for a socket when it connects, unless its application has chosen. The choice stays with the "
        "socket; egress rules with `socket` apply it."
    ),
    "connect.rules": "The first rule that matches decides; if none does, nothing is chosen.",
    "connect_rule": "A rule for connecting sockets, with exactly one of `choose` and `action`.",
    "connect_rule.name": "Unique among all rules; counters are named after it.",
    "connect_rule.was": WAS,
    "connect_rule.match": (
        "Conditions that are known at connect: `destination`, `protocol`, `destination_port`, `mark` and `cgroup`. "
        "Without it, the rule matches every socket."
    ),
    "connect_rule.choose": "`TABLE/ROW`, as an application would choose it.",
    "connect_rule.action": "`pass`: nothing is chosen.",
    "egress": "What happens to packets that leave by the attached devices.",
    "egress.rules": "The first rule that matches decides. At most 500: what grows is a table or a set.",
    "egress.default": "What happens to packets that no rule matches.",
    "egress.next_hop": (
        "`keep`: the packet goes to the inner packet's next hop, and `plan` checks that it is also that of the tunnel "
        "endpoint. `route`: the packet goes to the next hop that the host's routes name for the outer destination, on "
        "any device."
    ),
    "egress.segmentation": (
        "`off` allows encapsulations whose headers the kernel cannot write in each segment of a GSO packet, such as "
        "the length of a second UDP header. GSO packets for them are dropped and counted as `egress_gso`, so local "
        "connections must send none: `ip link set dev DEVICE gso_max_segs 1`."
    ),
    "egress.boot": (
        "What happens to packets before the first apply, after a reboot or while an attached device is missing. "
        "`open`: they leave unencapsulated. `closed`: literal prefixes of rules that encapsulate are unreachable "
        "until `encapctl` has applied the bundle; see `encapctl unit`."
    ),
    "egress.remember": (
        "The record of connections, for packets whose socket is gone (a reset, the last acknowledgement of a closed "
        "connection): for how many TCP connections of choosing sockets and named cgroups, and how long."
    ),
    "mtu": "How encapsulated packets fit the MTU.",
    "mtu.clamp_mss": (
        "Lower the MSS in the SYN and SYN-ACK of every flow that a rule encapsulates, in both directions, by the most "
        "that a row can add; also of flows that arrive through a tunnel and are answered unencapsulated."
    ),
    "mtu.too_big": (
        "What happens to a packet that would not fit the device's MTU with its headers. `icmp`: it is dropped, and its "
        'sender gets the size that fits by ICMP "fragmentation needed" or ICMPv6 "packet too big"; an IPv4 packet '
        "without DF is dropped without ICMP. `drop`: it is dropped. Both are counted."
    ),
    "mtu.path": (
        "Whether the MTU of the path to a tunnel endpoint is learned. `learn`: an ICMP error of a router about an "
        "encapsulated packet of this host lowers for ten minutes what fits to its tunnel endpoint, and larger packets "
        "are treated as `too_big` says. What hosts rely on still fits (552 bytes of IPv4, 1280 of IPv6): over IPv4, "
        "routers may then fragment the outer packet; over IPv6, an IPv6 packet is dropped and counted. `ignore`: the "
        "device's MTU counts alone."
    ),
    "receive": "How received tunnel packets reach the ingress program.",
    "receive.gro": (
        "`device`: `encapctl apply` makes an idle tunnel device for each UDP port on which VXLAN or Geneve is "
        "decapsulated. While it is up, the kernel merges TCP segments inside the tunnel before they are decapsulated "
        "(GRO), as behind a tunnel device of its own; it receives nothing. `off`: every segment is decapsulated and "
        "delivered alone, unless another tunnel device has that port."
    ),
    "remember.capacity": "The number of connections; some more may be kept. The memory is allocated at load.",
    "remember.idle": "How long a record is kept after a connection's last packet: a number with `s`, `m` or `h`.",
    "egress.unattached": (
        "What happens to a packet that a rule encapsulates if its route leaves by a device that is not attached, "
        "where no program can encapsulate it. It applies to sockets in the cgroups of rules with `socket` or "
        "`cgroup`. `drop`: the packet is dropped and counted, and the sender gets EPERM. `pass`: it leaves "
        "unencapsulated."
    ),
    "egress_rule": "A rule for packets that leave, with exactly one of `to`, `socket`, `reflect` and `action`.",
    "egress_rule.name": "Unique among all rules; counters are named after it.",
    "egress_rule.was": WAS,
    "egress_rule.match": "Conditions on the packet. Without it, the rule matches every packet.",
    "egress_rule.to": "`TABLE`, in which the packet's key finds the row, or `TABLE/ROW` of a table without a key.",
    "egress_rule.socket": (
        "The rows that a socket may choose for itself with setsockopt(): `TABLE` for all of a table, or `TABLE/ROW`. "
        "The next rule decides for packets whose socket chose none of them."
    ),
    "egress_rule.action": "`pass` leaves the packet unencapsulated; `drop` drops and counts it.",
    "egress_rule.reflect": (
        "An ingress rule with `learn`: the packet gets the headers in which the packet that it answers (or forwards) "
        "arrived, with source and destination swapped. The next rule decides for packets of unknown flows."
    ),
    "egress_rule.with": (
        "Another encapsulation for reflected packets than the received one; it may use `received.HEADER.FIELD`."
    ),
    "egress_rule.on_miss": "What happens if the table has no matching row (any more). `next`: the next rule decides.",
    "match": "Conditions on the inner packet. All must be true; of a list, one.",
    "match.destination": "Prefixes, addresses, or names of sets.",
    "match.source": "Prefixes, addresses, or names of sets.",
    "match.protocol": "IP protocols, by name (`tcp`, `udp`, `icmp`, `icmpv6`, `sctp`, `gre`, `esp` ...) or number.",
    "match.destination_port": "Ports or ranges, `8000-8999`. Needs `protocol` tcp, udp or sctp.",
    "match.source_port": "Ports or ranges, `8000-8999`. Needs `protocol` tcp, udp or sctp.",
    "match.dscp": "Differentiated services code points, by name (`ef`, `af41`, `cs1` ...) or number.",
    "match.mark": "Values or ranges of the packet's mark (`skb->mark`), `0x1000-0x1fff`.",
    "match.cgroup": (
        "The cgroups in which the packet's socket was created, by their path below the attached one, including their "
        "descendants. A cgroup that does not exist yet is pending, and `encapctl` shows it."
    ),
    "ingress": "What happens to encapsulated packets that arrive at the attached devices.",
    "ingress.rules": "The first rule that matches decapsulates. At most 500: what grows is a table or a set.",
    "ingress.refuse": "What happens to a malformed or unauthorized tunnel packet that is addressed to this host.",
    "ingress_rule": "A rule for packets that arrive.",
    "ingress_rule.name": "Unique among all rules; counters are named after it.",
    "ingress_rule.was": WAS,
    "ingress_rule.decapsulate": "The encapsulation to decapsulate.",
    "ingress_rule.from": (
        "The accepted outer sources: prefixes, set names, a field of a table as `TABLE.FIELD`, or `any`."
    ),
    "ingress_rule.match": "Conditions on the inner packet.",
    "ingress_rule.lookup": "A table keyed by `received.HEADER.FIELD`. The packet's VNI or key must be in it.",
    "ingress_rule.learn": "Learn the received headers, for an egress rule that reflects them.",
    "learn": "For which packets the received headers are learned, for how many flows and how long.",
    "learn.for": (
        "`replies`: for the replies, as on servers. `forwarded`: for the same packets on their way out, as on "
        "appliances. `both`."
    ),
    "learn.capacity": "The number of flows; some more may be kept. The memory is allocated at load.",
    "learn.idle": "How long a flow is kept after its last packet: a number with `s`, `m` or `h`.",
    "ingress_rule.set_mark": (
        "The mark of the decapsulated packet: a number, or `endpoint.FIELD` of the row that `lookup` found."
    ),
    "tests": (
        "Packets, and what the spec must do with them. `encap-compile test` runs them; they change no byte of the "
        "bundle."
    ),
    "tests.host": (
        "Host values of the machine on which the tests run, by name, and `DEVICE.mtu`. Other values are invented: "
        "192.0.2.77 and 2001:db8::77, 02:00:00:00:00:77, an MTU of 1500, 1 for numbers."
    ),
    "tests.packets": "The tests, each with one packet or one connecting socket.",
    "test": "A packet or a socket, and the expected result. Each test starts on a machine that has not seen a packet.",
    "test.name": "A unique name, for reports.",
    "test.leaves": "The packet leaves this machine by an attached device: the egress rules apply.",
    "test.arrives": "The packet arrives at an attached device: the ingress rules apply.",
    "test.connects": "A socket connects: the connect rules apply.",
    "test.after": (
        "Earlier tests whose packets the machine sees first, so that it learns from them. After a test that "
        "`connects`, packets from that cgroup to that destination, protocol and port are sent by its socket."
    ),
    "test.expect": "The expected result. What is not written is not compared.",
    "leaving": "An IP packet, in the words of a match, and the facts of its socket.",
    "arriving": "An IP packet, in the words of a match, and the headers in which it arrives.",
    "connecting": "A socket at connect(), in the words of a match.",
    "connecting.destination": "The address to which it connects.",
    "connecting.protocol": "A name or a number. Default: `tcp`.",
    "connecting.mark": "The mark of the socket.",
    "packet.source": "The source address. It determines the packet's family.",
    "packet.destination": "The destination address, of the same family.",
    "packet.protocol": "A name or a number. Default: `tcp` if ports are written, else `udp`.",
    "packet.source_port": "The port of TCP, UDP or SCTP. Default: 40000.",
    "packet.destination_port": "The port of TCP, UDP or SCTP. Default: 9.",
    "packet.dscp": "A name or a number. Default: 0.",
    "packet.ecn": "The two bits of RFC 3168.",
    "packet.ttl": "TTL or hop limit.",
    "packet.df": 'The bit "don\'t fragment" of IPv4. One that is too big is answered only if it is set.',
    "packet.mark": "The mark of the packet (`skb->mark`).",
    "packet.length": "Bytes including the IP header. Default: the headers and 32 bytes of payload.",
    "packet.fragment": "The packet is a fragment: the `first` one, or a `later` one, which has no ports.",
    "packet.cgroup": "The cgroup in which its socket was created, as a path below the attached one.",
    "packet.chose": "The row that its socket chose, `TABLE/ROW`.",
    "packet.encapsulation": "The encapsulation in which it arrives. Default: none.",
    "packet.received": (
        "Fields of the headers in which it arrives, by `HEADER.FIELD`. `ip.source` is required. Other fields are as "
        "this spec would send them, to an address of this host; fields that come from rows are 0."
    ),
    "expectation": "The verdict, and further results.",
    "expect.verdict": (
        "`encapsulate` and `decapsulate`: the packet continues with or without headers; `pass`: it continues "
        "unchanged; `drop`: it is dropped. For a connecting socket, `choose`: a row is chosen for it; `pass`: none "
        "is."
    ),
    "expect.rule": "The rule that decided; `default` if none did.",
    "expect.row": "The row that was found: its name, or its line in the file if it has none.",
    "expect.sent": "Fields of the headers in which it is sent, by `HEADER.FIELD`.",
    "expect.mark": "The mark with which it continues.",
    "expect.counter": "A counter that counted the packet.",
}
