"""E6xx: tables and their rows, in the spec and in CSV files."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "E601": Explained(
        "a file of rows or prefixes cannot be read",
        """It is missing, not a regular file, not UTF-8, has NUL characters, or is larger than 1 GiB. A
byte-order mark and CRLF line ends are fine.""",
    ),
    "E602": Explained(
        "a line that is not a row",
        """Every line has as many cells as the header line names columns; a quoted cell begins and ends on its
line, and a quote within it is written twice. Lines that begin with `#` and blank lines are skipped.

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
        """The columns of the key must be there, `name` in a table without a key, `encapsulation` if the table
has several, and every field that all rows must fill.""",
    ),
    "E605": Explained(
        "a column is there twice",
        """The header line names a column twice. Keep one of them.""",
    ),
    "E607": Explained(
        "a second row for one key",
        """Two rows (or two lines of a prefix list) have the same key, so which one a packet takes would be
chance. Keep one. Several rows of one key, as a pool, are not yet in this release.""",
    ),
    "E608": Explained(
        "two rows of one name",
        """Rules and messages name rows, so each has a name of its own. Several rows of one name, as a pool,
are not yet in this release.""",
    ),
    "E609": Explained(
        "two names with the same hash",
        """Rows without a key are found by a 32-bit hash of their name, and these two names have the same one.
It is rare (about one pair in 90 000 names); change one of the names.""",
    ),
    "E610": Explained(
        "more rows than the capacity",
        """The map is made for `capacity` rows when it loads. Raise it; leave some for rows that come later.""",
    ),
    "E611": Explained(
        "too many fixed rows",
        """`fixed: true` compiles rows into the program, as conditions that are tried one after the other: at
most 64, and known when compiling. For more, leave `fixed` out: a map is faster then.""",
    ),
    "E612": Explained(
        "a prefix length that `shape` excludes",
        """The table promises that only certain prefix lengths occur, and the compiler chose a lookup by it.
Add the length to the promise or split the row.

    shape: {prefix_lengths: [24, 32]}""",
    ),
    "E614": Explained(
        "an empty cell",
        """The key, the name of a row without a key, and the fields that the row's encapsulation uses must be
there.""",
    ),
    "E615": Explained(
        "a row with an encapsulation that the table does not have",
        """A row takes one of the encapsulations that its table names.

    exits: {fields: {address: ip}, encapsulation: [gre, ipip], ...}""",
    ),
    "E616": Explained(
        "a row without its encapsulation",
        """The table names several encapsulations, so each row says which it takes, in the column
`encapsulation`.""",
    ),
    "E618": Explained(
        "not a word for keys",
        """A key is a list of match words (destination, source, protocol, destination_port, source_port, dscp,
mark), each once, or one `received.HEADER.FIELD`.

    key: [mark, destination]""",
    ),
    "E621": Explained(
        "fixed rows in a file",
        """`fixed: true` compiles rows into the program, so a change of a row is a change of the spec: they stand
in it, under `rows:`. Rows in a file live in a map and change without compiling.""",
    ),
    "E622": Explained(
        "`shape` without a prefix in the key",
        """`shape.prefix_lengths` is a promise about the prefixes of the key, and this key has neither
`destination` nor `source`.""",
    ),
    "E623": Explained(
        "an unknown type",
        """Fields: ip, ipv4, ipv6, mac, u8, u16, u20, u24, u32, u64, port, dscp. Host values: device, devices, ip,
ipv4, ipv6, mac, u8, u16, u20, u24, u32. `ip` is an address of either family.""",
    ),
    "E625": Explained(
        "a received field among other key words",
        """A table for `lookup` is found by what came in, before the inner packet is known: its key is one
received field alone.

    key: received.vxlan.vni""",
    ),
    "E627": Explained(
        "an unknown received field",
        """`received.HEADER.FIELD` names a header of the catalogue and one of its fields that tells tenants
apart, like received.vxlan.vni or received.gre.key.""",
    ),
    "E629": Explained(
        "an empty file",
        """A CSV file begins with a line that names its columns, even if there are no rows yet; a prefix list
has at least one prefix.""",
    ),
    "E630": Explained(
        "not a cgroup's path",
        """A row is found by a cgroup below the attached one, written as its path from there: names with `/`
between them, without `/` at the ends, without `..`, and at most 8 of them: no program looks further down. The cgroup
need not be there yet.

    cgroup,address
    team-a.slice,192.0.2.1
    system.slice/nginx.service,192.0.2.2""",
    ),
    "E631": Explained(
        "an IPv6 prefix that would take IPv4 packets",
        """Where one table or one long list of prefixes holds both families, an IPv4 address is kept as
::ffff:a.b.c.d, and a prefix such as ::/0 covers it. A prefix for all of IPv4 takes precedence, being longer.

    - {destination: "::/0", address: "2001:db8::1"}
    - {destination: 0.0.0.0/0, address: 192.0.2.1}""",
    ),
    "E650": Explained(
        "more errors",
        """The file has more errors than are worth showing at once. Mend the first ones: they are often the
cause of the others.""",
    ),
}
