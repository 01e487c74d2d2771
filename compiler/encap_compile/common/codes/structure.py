"""E2xx: the form of the document, as the JSON schema has it."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "E216": Explained(
        "an unknown preset",
        """A preset is one of a few known roles of a machine; docs/presets.md has them all. A role of your own is a
spec, written out.""",
    ),
    "E217": Explained(
        "more than one preset",
        """A preset is the role of a machine, and decides about packets by rules in an order. Which of two presets would
go first cannot be known, so a spec has one; what the machine does beside it is written out:

    preset: {gue-return: {balancers: [192.0.2.0/28], vips: [203.0.113.0/24]}}
    encapsulations: {...}
    egress: {rules: [...], default: pass}""",
    ),
    "E201": Explained(
        "an unknown key",
        """The language has no such key here. A key that does nothing would be worse than an error: a person
believes that it is in force. `docs/spec.md` lists every key, and `encap-compile schema` gives it to
editors.""",
    ),
    "E202": Explained(
        "a key is missing",
        """This mapping must have the key; there is no default that would be right for everybody. For example
the default of egress is a decision about every packet that no rule matches:

    egress: {rules: [...], default: pass}""",
    ),
    "E203": Explained(
        "the wrong kind of value",
        """A list stands where a mapping belongs, a number where text belongs, and so on. Unquoted `5.10` is
the number 5.1, and unquoted `true` is no text:

    kernel: "5.10"

010, 1_000, yes and 11:22:33:44:55:55 are text here, whatever older YAML readers make of them.""",
    ),
    "E204": Explained(
        "not one of the allowed words",
        """The value is one of a few words, and this is none of them. The help names the nearest or all of
them.""",
    ),
    "E205": Explained(
        "not a name",
        """Names become identifiers in C, members of counters and parts of paths: lower-case letters, digits,
`-` and `_`, beginning with a letter, at most 32 characters. A row's name may be any text of at most
64 characters without `/`.

    name: web-to-sites""",
    ),
    "E206": Explained(
        "exactly one of two keys",
        """Two keys exclude each other, and one of them must be there: a rule has `to` or `action`, a table has
`rows` or `file`.

    - {name: web, match: {protocol: tcp}, to: sites}
    - {name: lab, match: {source: 10.9.0.0/16}, action: drop}""",
    ),
    "E207": Explained(
        "empty",
        """A list, mapping or text that must have something in it has nothing. An empty match list would match
no packet, and an empty table could never be hit: leave the key out if that is meant.

A table has at least one field, since the kernel has no map without values. A table that only lists its
keys, as for `lookup`, has one that nothing uses:

    vnis: {key: received.vxlan.vni, fields: {mark: u32}, rows: [{received.vxlan.vni: 1001, mark: 0}]}""",
    ),
    "E208": Explained(
        "too long",
        """A name has at most 32 characters, since it becomes part of map and program names, and an
encapsulation at most 8 headers.""",
    ),
    "E209": Explained(
        "a number out of bounds",
        """The number cannot be so small or so large here: a table has 1 to 10 000 000 rows, a prefix 0 to 128
bits.""",
    ),
    "E210": Explained(
        "a key without a value",
        """After the colon comes nothing (or `null`, or `~`), which means nothing here. Give a value or delete
the line. The lines that follow may be indented too little to belong to the key.""",
    ),
    "E211": Explained(
        "a key that needs another",
        """The key has a meaning only beside another: `on_miss` beside `to`; and a table with `file` needs
`capacity`, since the map is made for that many rows, and rows may be added without compiling.

    sites: {key: destination, fields: {address: ip}, file: sites.csv, capacity: 1000}""",
    ),
    "E212": Explained(
        "an unknown version of the language",
        """This release reads one version:

    apiVersion: encap/v1alpha1""",
    ),
    "E213": Explained(
        "not a kernel that can be asked for",
        """`kernel` is the oldest kernel on which the bundle must load: two numbers in quotes. The programs
need helpers that came with 5.10, so nothing older can be promised.

    kernel: "5.10\"""",
    ),
    "E215": Explained(
        "two headers in one element",
        """An encapsulation is a list, so that the order of headers is written down: each element is a mapping
of one key.

    vxlan:
      - ip: {source: host.vtep, destination: endpoint.address}
      - udp: {checksum: zero}""",
    ),
}
