"""E3xx and W31x: names and references."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "E301": Explained(
        "an unknown host value",
        """`host.NAME`, and the device in a default, must be declared under `host`:

    host: {uplink: device, vtep: {type: ip, default: uplink.address}}""",
    ),
    "E302": Explained(
        "no such attribute",
        """Only devices have attributes to refer to: `mac`, `mtu`, `ifindex`. A device may have many addresses,
so an address is a host value of its own:

    host: {uplink: device, vtep: {type: ip, default: uplink.address}}""",
    ),
    "E303": Explained(
        "an unknown table",
        """`to`, `from` and `lookup` name tables that are declared under `endpoints`.""",
    ),
    "E304": Explained(
        "an unknown row",
        """`to: TABLE/ROW` names a row that is not in the table's rows or file. The packets of the rule would
all be dropped, so it is an error rather than a surprise.""",
    ),
    "E305": Explained(
        "an unknown encapsulation",
        """A table's `encapsulation` and a rule's `decapsulate` name a stack that is declared under
`encapsulations`.""",
    ),
    "E306": Explained(
        "an unknown set",
        """A word among prefixes is the name of a set, and there is none of that name. Host names are not
resolved: a spec means the same everywhere and always.

    sets: {vips: [203.0.113.0/24]}
    ... match: {destination: vips}

In `from`, the addresses in a table's rows are written `TABLE.FIELD`, like `from: sites.address`.""",
    ),
    "E307": Explained(
        "an unknown field of a table",
        """`endpoint.NAME` is a field of the row that was found. Every table whose rows take the encapsulation
must have it, and `from: TABLE.FIELD` and `set_mark` name fields too.

    sites: {key: destination, fields: {address: ip, vni: u24}, encapsulation: vxlan, ...}""",
    ),
    "E308": Explained(
        "a name is there twice",
        """Rules are told apart by name in counters, in `plan` and in dashboards, over both directions. In a
list the same name twice has no meaning.""",
    ),
    "E309": Explained(
        "two names are one in C",
        """In the generated C and in counters `-` becomes `_`, so `web-1` and `web_1` would be one. Rename one
of them.""",
    ),
    "E580": Explained(
        "two names of one hash",
        """Maps and sockets tell tables, rules and encapsulations apart by 32-bit hashes (FNV-1a) of their names,
which stay the same when others come and go. These two have the same one, by rare chance: rename either.""",
    ),
    "E310": Explained(
        "a reserved name",
        """The name already has a meaning where it would stand: rows have the columns `name`, `encapsulation` and
those of the key, and `from: any` is everybody.""",
    ),
    "E311": Explained(
        "an unknown ingress rule",
        """`reflect` names a rule under `ingress: rules:`: the one whose packets are answered.""",
    ),
    "E312": Explained(
        "a name that the preset has",
        """The preset of this spec stands for sets, encapsulations and tables with names of their own, and what is
written beside it is added to them. Two of one name would hide which one rules mean. The preset's can be
used by its name: `match: {destination: vips}`.""",
    ),
    "E313": Explained(
        "a former name that a rule has",
        """`was` names what a rule was called in the version of the spec before, so that its counters go on where
those of that name stopped. A rule that is still there counts for itself:

    - {name: offices, was: sites, match: {destination: 10.1.0.0/16}, to: sites}

To let two rules change names, rename one to a third name first, apply that, and then the other.""",
    ),
    "E314": Explained(
        "a former name that two rules claim",
        """`was` names what a rule was called before, and its totals go on in one rule alone. Where a rule was
split in two, one of them continues its totals and the other begins at 0.""",
    ),
    "E320": Explained(
        "a file outside the spec's folder",
        """A spec and the files that it names are reviewed, copied and compiled together, and the result is the
same on any machine. So a file is named relative to the spec, with `/`, and lies in its folder or
below: no absolute names, no `..`.

    file: rows/sites.csv""",
    ),
    "E321": Explained(
        "a file that the spec names cannot be read",
        """Files are named relative to the spec, not to the current folder. It must be a regular file that this
user may read.""",
    ),
    "E322": Explained(
        "two files of one name",
        """The bundle keeps its files side by side, by the last part of their paths. Rename one of the two.""",
    ),
    "E330": Explained(
        "not a reference",
        """A reference is one of the roots and what follows it: `host.NAME`, `host.DEVICE.mac`,
`endpoint.FIELD`, `received.HEADER.FIELD`. `to` names `TABLE` or `TABLE/ROW`.""",
    ),
    "E331": Explained(
        "a reference that cannot stand here",
        """`attach` takes host values (`host.uplink`), and a list of devices (`devices`) stands alone; `from`
takes prefixes, sets, `any`, or one `TABLE.FIELD`; `match` takes prefixes and sets.""",
    ),
    "E332": Explained(
        "the type does not fit",
        """What the reference leads to cannot be written into this field without loss or guess: a `u32` into a
24-bit VNI, an `ip` (which may be IPv6) into an `ipv4` header. `ip` fits the header `ip`, which
follows the row's address. A host value of type `ip` has one address of each family, and fits all
three.""",
    ),
    "W311": Explained(
        "a host value is never used",
        """What is declared and never used is often the trace of a typing error or of a rule that was deleted
in part. Use it or delete it.""",
    ),
    "W312": Explained(
        "an encapsulation is never used",
        """What is declared and never used is often the trace of a typing error or of a rule that was deleted
in part. A table names it, or a rule decapsulates it.""",
    ),
    "W313": Explained(
        "a table is never used",
        """What is declared and never used is often the trace of a typing error or of a rule that was deleted
in part. Rules name tables in `to`, `from` and `lookup`.""",
    ),
    "W314": Explained(
        "a set is never used",
        """What is declared and never used is often the trace of a typing error or of a rule that was deleted
in part. Rules name sets in `destination`, `source` and `from`.""",
    ),
    "W315": Explained(
        "a field is never used",
        """What is declared and never used is often the trace of a typing error or of a rule that was deleted
in part. Every row carries the field, in the file and in kernel memory; headers refer to it as
`endpoint.NAME`.""",
    ),
    "E334": Explained(
        "no path of a cgroup",
        """A cgroup is named by its path below the one in `attach: cgroup`, as its directories are called, without a
slash at the beginning or the end: `team-a.slice`, `system.slice/nginx.service`. To be below it is to be in it.""",
    ),
}
