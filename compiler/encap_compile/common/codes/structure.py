"""E2xx: the form of the document, as the JSON schema has it."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "E216": Explained(
        "an unknown preset",
        """A preset is one of a few known roles of a machine; docs/presets.md lists them. For another role, write a
full spec.""",
    ),
    "E217": Explained(
        "more than one preset",
        """A preset is a role of a machine, with rules in an order. The order of two presets would be undefined, so a
spec has at most one. Write the rest of the spec out:

    preset: {gue-return: {balancers: [192.0.2.0/28], vips: [203.0.113.0/24]}}
    encapsulations: {...}
    egress: {rules: [...], default: pass}""",
    ),
    "E201": Explained(
        "an unknown key",
        """The language has no such key here. Ignoring it would be worse than an error, because a reader would believe
it to be in force. `docs/spec.md` lists every key, and `encap-compile schema` writes the schema for editors.""",
    ),
    "E202": Explained(
        "a key is missing",
        """This mapping requires the key, because no default would be right for everyone. For example, the default of
egress decides about every packet that no rule matches:

    egress: {rules: [...], default: pass}""",
    ),
    "E203": Explained(
        "the wrong kind of value",
        """The value has the wrong type, such as a list instead of a mapping, or a number instead of text. Unquoted
`5.10` is the number 5.1, and unquoted `true` is not text:

    kernel: "5.10"

010, 1_000, yes and 11:22:33:44:55:55 are text, although older YAML readers convert them.""",
    ),
    "E204": Explained(
        "not one of the allowed words",
        """The value must be one of a few words, and this is not one of them. The help names the closest one or all of
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
        "exactly one of two keys is required",
        """Two keys exclude each other, and one of them is required: a rule has `to` or `action`, a table has `rows` or
`file`.

    - {name: web, match: {protocol: tcp}, to: sites}
    - {name: lab, match: {source: 10.9.0.0/16}, action: drop}""",
    ),
    "E207": Explained(
        "empty",
        """A list, mapping or text is empty that must not be. An empty match list would match no packet, and an empty
table would never match: leave the key out if that is what you want.

A table needs at least one field, because the kernel has no maps without values. Give a table that only
lists its keys, for example for `lookup`, an unused field:

    vnis: {key: received.vxlan.vni, fields: {mark: u32}, rows: [{received.vxlan.vni: 1001, mark: 0}]}""",
    ),
    "E208": Explained(
        "too long",
        """A name has at most 32 characters, since it becomes part of map and program names, and an
encapsulation at most 8 headers.""",
    ),
    "E209": Explained(
        "a number out of bounds",
        """The number is too small or too large: a table has 1 to 10 000 000 rows, a prefix 0 to 128 bits.""",
    ),
    "E210": Explained(
        "a key without a value",
        """There is no value (or `null`, or `~`) after the colon, which has no meaning here. Give a value or delete the
line. Perhaps the following lines are not indented far enough to belong to the key.""",
    ),
    "E211": Explained(
        "a key that needs another",
        """The key requires another one: `on_miss` requires `to`, and a table with `file` requires `capacity`, because
the map is created for that many rows, and rows can be added without compiling.

    sites: {key: destination, fields: {address: ip}, file: sites.csv, capacity: 1000}""",
    ),
    "E212": Explained(
        "an unknown version of the language",
        """This release reads one version:

    apiVersion: encap/v1alpha1""",
    ),
    "E213": Explained(
        "not a valid kernel version",
        """`kernel` is the oldest kernel on which the bundle must load: two numbers in quotes. The programs need
helpers of 5.10, so older kernels are not supported.

    kernel: "5.10\"""",
    ),
    "E215": Explained(
        "two headers in one element",
        """An encapsulation is a list, because the order of headers matters: each element is a mapping with one key.

    vxlan:
      - ip: {source: host.vtep, destination: endpoint.address}
      - udp: {checksum: zero}""",
    ),
}
