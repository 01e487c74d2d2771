"""E6xx: tables and their rows, in the spec and in CSV files."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "E601": Explained(
        "a file of rows or prefixes cannot be read",
        """The file is missing, not a regular file, not UTF-8, contains NUL characters, or is larger than 1 GiB. A
byte-order mark and CRLF line endings are accepted.""",
    ),
    "E602": Explained(
        "a line that is not a row",
        """Every line must have as many cells as the header line has columns. A quoted cell must end on the same line,
and a quote within it is doubled. Lines that begin with `#` and blank lines are skipped.

    name,destination,address
    fra,10.1.0.0/16,192.0.2.1""",
    ),
    "E603": Explained(
        "an unknown column",
        """A row has the columns `name`, `encapsulation` (if the table has one), those of the key, and the
fields.""",
    ),
    "E604": Explained(
        "a missing column",
        """Required are the columns of the key, or `name` in a table without a key, `encapsulation` if the table has
several, and every field that all rows need.""",
    ),
    "E605": Explained(
        "a duplicate column",
        """The header line names a column twice. Keep one of them.""",
    ),
    "E607": Explained(
        "two rows with the same key",
        """Two rows (or two lines of a prefix list) have the same key, so it is undefined which one a packet uses. Keep
one of them. Several rows with one key, as a pool, are not yet in this release.""",
    ),
    "E608": Explained(
        "two rows with the same name",
        """Rules and messages refer to rows by name, so each name must be unique. Several rows with one name, as a
pool, are not yet in this release.""",
    ),
    "E609": Explained(
        "two names with the same hash",
        """Rows without a key are found by a 32-bit hash of their name, and these two names have the same one. That is
rare (about one pair in 90 000 names). Change one of the names.""",
    ),
    "E610": Explained(
        "more rows than the capacity",
        """The map is created for `capacity` rows. Raise `capacity`, and leave some for later rows.""",
    ),
    "E611": Explained(
        "too many fixed rows",
        """`fixed: true` compiles rows into the program as comparisons, one after the other, so at most 64 rows are
allowed. For more, leave `fixed` out: a map is faster then.""",
    ),
    "E612": Explained(
        "a prefix length that `shape` excludes",
        """`shape` states that only certain prefix lengths occur, and the compiler chose a lookup for these. Add the
length to `shape`, or split the row.

    shape: {prefix_lengths: [24, 32]}""",
    ),
    "E614": Explained(
        "an empty cell",
        """Every row needs its key, its name if the table has no key, and all fields that its encapsulation uses.""",
    ),
    "E615": Explained(
        "a row with an encapsulation that the table does not have",
        """A row takes one of the encapsulations that its table names.

    exits: {fields: {address: ip}, encapsulation: [gre, ipip], ...}""",
    ),
    "E616": Explained(
        "a row without its encapsulation",
        """The table has several encapsulations, so each row must name one in the column `encapsulation`.""",
    ),
    "E618": Explained(
        "not a valid key",
        """A key is a list of match words (destination, source, protocol, destination_port, source_port, dscp, mark),
each once, or one `received.HEADER.FIELD`.

    key: [mark, destination]""",
    ),
    "E621": Explained(
        "fixed rows in a file",
        """`fixed: true` compiles rows into the program, so they must be in the spec, under `rows:`. Rows of a file are
in a map and change without compiling.""",
    ),
    "E622": Explained(
        "`shape` without a prefix in the key",
        """`shape.prefix_lengths` describes the prefixes of the key, but this key has neither `destination` nor
`source`.""",
    ),
    "E623": Explained(
        "an unknown type",
        """Fields: ip, ipv4, ipv6, mac, u8, u16, u20, u24, u32, u64, port, dscp. Host values: device, devices, ip,
ipv4, ipv6, mac, u8, u16, u20, u24, u32. `ip` is an address of either family.""",
    ),
    "E625": Explained(
        "a received field among other key words",
        """`lookup` happens before the inner packet is known, so the key of its table is exactly one received field.

    key: received.vxlan.vni""",
    ),
    "E627": Explained(
        "an unknown received field",
        """`received.HEADER.FIELD` names a header of the catalogue and one of its fields that identifies a tenant, such
as received.vxlan.vni or received.gre.key.""",
    ),
    "E629": Explained(
        "an empty file",
        """A CSV file needs a header line that names its columns, even without rows; a prefix list needs at least one
prefix.""",
    ),
    "E630": Explained(
        "not a cgroup's path",
        """The path is relative to the attached cgroup: at most 8 names separated by `/`, without `/` at the start or
end, and without `..`. The cgroup need not exist yet.

    cgroup,address
    team-a.slice,192.0.2.1
    system.slice/nginx.service,192.0.2.2""",
    ),
    "E631": Explained(
        "an IPv6 prefix that would take IPv4 packets",
        """In a table or a long prefix list with both families, IPv4 addresses are stored as ::ffff:a.b.c.d, which a
prefix such as ::/0 also covers. Add a prefix for all of IPv4, which is longer and so takes precedence.

    - {destination: "::/0", address: "2001:db8::1"}
    - {destination: 0.0.0.0/0, address: 192.0.2.1}""",
    ),
    "E650": Explained(
        "more errors",
        """Only the first errors of the file are shown. Fix these first: they often cause the others.""",
    ),
}
