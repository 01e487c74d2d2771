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
        """`to: TABLE/ROW` names a row that is not in the table's rows or file. All packets of the rule would be
dropped, so this is an error.""",
    ),
    "E305": Explained(
        "an unknown encapsulation",
        """A table's `encapsulation` and a rule's `decapsulate` name a stack that is declared under
`encapsulations`.""",
    ),
    "E306": Explained(
        "an unknown set",
        """A word among prefixes is the name of a set, and there is no set of this name. Host names are not resolved,
because a spec must mean the same everywhere.

    sets: {vips: [203.0.113.0/24]}
    ... match: {destination: vips}

In `from`, the addresses in a table's rows are written `TABLE.FIELD`, like `from: sites.address`.""",
    ),
    "E307": Explained(
        "an unknown field of a table",
        """`endpoint.NAME` is a field of the row that was found. Every table that uses the encapsulation must have the
field. `from: TABLE.FIELD` and `set_mark` name fields too.

    sites: {key: destination, fields: {address: ip, vni: u24}, encapsulation: vxlan, ...}""",
    ),
    "E308": Explained(
        "a duplicate name",
        """Counters, `plan` and dashboards identify rules by name, over both directions, so names must be unique. In a
list, the same name twice has no meaning.""",
    ),
    "E309": Explained(
        "two names that are the same in C",
        """In the generated C and in counters `-` becomes `_`, so `web-1` and `web_1` would be the same. Rename one of
them.""",
    ),
    "E580": Explained(
        "two names with the same hash",
        """Maps and sockets identify tables, rules and encapsulations by 32-bit hashes (FNV-1a) of their names, which
do not change when others are added or removed. These two names have the same hash, which is rare. Rename
one of them.""",
    ),
    "E310": Explained(
        "a reserved name",
        """The name already has a meaning in this place: rows have the columns `name`, `encapsulation` and those of the
key, and `from: any` accepts every source.""",
    ),
    "E311": Explained(
        "an unknown ingress rule",
        """`reflect` must name a rule under `ingress: rules:`, the one whose packets are answered.""",
    ),
    "E312": Explained(
        "a name that the preset uses",
        """The preset expands to sets, encapsulations and tables with names, and the rest of the spec is added to them.
With two of the same name it would be unclear which one a rule means. Choose another name. Rules can use the
preset's by name: `match: {destination: vips}`.""",
    ),
    "E313": Explained(
        "a former name that is still in use",
        """`was` is the name of a rule in the previous version of the spec, so that its counters continue the totals of
that name. But a rule of this name still exists:

    - {name: offices, was: sites, match: {destination: 10.1.0.0/16}, to: sites}

To let two rules change names, rename one to a third name first, apply that, and then the other.""",
    ),
    "E314": Explained(
        "a former name that two rules claim",
        """`was` is a rule's former name, and only one rule can continue the totals of that name. If a rule was split
in two, one of them continues its totals and the other starts at 0.""",
    ),
    "E320": Explained(
        "a file outside the spec's folder",
        """A spec and the files that it names are reviewed, copied and compiled together, and the result is the same on
any machine. So a file is named relative to the spec, with `/`, and must be in its folder or below: no
absolute names, no `..`.

    file: rows/sites.csv""",
    ),
    "E321": Explained(
        "a file that the spec names cannot be read",
        """Files are named relative to the spec, not to the current folder. The file must be a regular file that this
user can read.""",
    ),
    "E322": Explained(
        "two files with the same name",
        """The bundle keeps its files side by side, by the last part of their paths. Rename one of the two.""",
    ),
    "E330": Explained(
        "not a reference",
        """A reference starts with one of these roots: `host.NAME`, `host.DEVICE.mac`, `endpoint.FIELD`,
`received.HEADER.FIELD`. `to` names `TABLE` or `TABLE/ROW`.""",
    ),
    "E331": Explained(
        "a reference that is not allowed here",
        """`attach` takes host values (`host.uplink`), and a value of type `devices` must be the only one; `from` takes
prefixes, sets, `any`, or one `TABLE.FIELD`; `match` takes prefixes and sets.""",
    ),
    "E332": Explained(
        "the type does not fit",
        """The value cannot be written into this field without loss: for example a `u32` into a 24-bit VNI, or an `ip`,
which may be IPv6, into an `ipv4` header. A field of type `ip` fits the header `ip`, whose family is that of
the row's address. A host value of type `ip` has an address of each family and fits all three.""",
    ),
    "W311": Explained(
        "a host value is never used",
        """An unused declaration is often the result of a typing error or of a rule that was only partly deleted. Use
it or delete it.""",
    ),
    "W312": Explained(
        "an encapsulation is never used",
        """An unused declaration is often the result of a typing error or of a rule that was only partly deleted. Name
it in a table, or decapsulate it in a rule.""",
    ),
    "W313": Explained(
        "a table is never used",
        """An unused declaration is often the result of a typing error or of a rule that was only partly deleted. Rules
name tables in `to`, `from` and `lookup`.""",
    ),
    "W314": Explained(
        "a set is never used",
        """An unused declaration is often the result of a typing error or of a rule that was only partly deleted. Rules
name sets in `destination`, `source` and `from`.""",
    ),
    "W315": Explained(
        "a field is never used",
        """An unused declaration is often the result of a typing error or of a rule that was only partly deleted. Every
row has the field, in the file and in kernel memory. Headers refer to it as `endpoint.NAME`.""",
    ),
    "E334": Explained(
        "not a cgroup's path",
        """A cgroup is named by its path below the one in `attach: cgroup`, without a slash at the start or the end:
`team-a.slice`, `system.slice/nginx.service`. A cgroup matches its descendants too.""",
    ),
}
