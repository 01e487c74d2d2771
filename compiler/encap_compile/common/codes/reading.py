"""E1xx: reading the file as YAML."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "E101": Explained(
        "the spec cannot be read",
        """There is no such file, or this user may not read it. Names on the command line are relative to the
current folder. Check with `ls -l`.""",
    ),
    "E102": Explained(
        "the spec is not a regular file",
        """A folder, device or pipe was named. A spec is a file: it is hashed, and files that it names lie
beside it.

    encap-compile overlay.yaml""",
    ),
    "E103": Explained(
        "the spec is too large",
        """A spec of more than 4 MiB is not one that a person reviews. Keep rows in a CSV file and prefix lists
in a text file, and name them:

    sites: {key: destination, fields: {address: ip}, file: sites.csv, capacity: 100000}""",
    ),
    "E104": Explained(
        "the spec is not UTF-8",
        """The file holds bytes that are no UTF-8 text, or it is UTF-16, as some editors save it. Save it as
UTF-8, for example with `iconv -f latin1 -t utf-8`.""",
    ),
    "E105": Explained(
        "the spec begins with a byte-order mark",
        """The first three bytes are EF BB BF. UTF-8 needs no byte-order mark, and other tools that read the
file would take it for text. Save the file as UTF-8 without BOM, or remove it: `sed -i
'1s/^\\xEF\\xBB\\xBF//' SPEC`.""",
    ),
    "E106": Explained(
        "a character that cannot be seen",
        """Control characters, and line ends that only some programs count as such, cannot be in a spec: what a
reviewer sees must be what is compiled. Delete the character.""",
    ),
    "E107": Explained(
        "not YAML",
        """The file breaks the rules of YAML here, or the parser notices here what went wrong a little above: a
missing quote, bracket or brace, a missing space after a colon, or lines of one list that begin in
different columns. An IPv6 address in a list or in braces needs quotes:

    {destination: "2001:db8::/32"}""",
    ),
    "E108": Explained(
        "a tab in the indentation",
        """YAML forbids tabs there, since their width is not defined. Set the editor to spaces; `expand -t 2`
mends a file.""",
    ),
    "E109": Explained(
        "an empty document",
        """There is nothing in the file but blank lines and comments. `encap-compile init` writes a first spec.""",
    ),
    "E110": Explained(
        "more than one document",
        """A line `---` begins a second YAML document. One file is one spec and one bundle: make two files.""",
    ),
    "E111": Explained(
        "a key is there twice",
        """A mapping has the same key twice. Most YAML readers keep the last and say nothing, so half of what a
reviewer read would not be in force. Keep one of them.""",
    ),
    "E112": Explained(
        "too many values",
        """With every alias (`*name`) written out the document has more than 200 000 values. Keep rows in a CSV
file.""",
    ),
    "E113": Explained(
        "an alias without an anchor",
        """`*name` repeats the value that `&name` stands before. The anchor must come first, and it is the same
file. A value that begins with `*` or `&` needs quotes.""",
    ),
    "E114": Explained(
        "a value that holds itself",
        """`*name` stands within the value that `&name` begins, so it would never end. Write the value out.""",
    ),
    "E115": Explained(
        "a merge key",
        """`<<: *name` copies the keys of another mapping. The language has no inclusion of any kind: what is
in force must be readable in its place. Write the keys out.""",
    ),
    "E116": Explained(
        "a YAML tag",
        """`!name` and `!!type` tell a YAML reader to make another kind of value. The schema decides what a
value is here: leave the tag out, and quote a value that has to be text.""",
    ),
    "E117": Explained(
        "nested too deep",
        """No part of a spec is deeper than a few levels; this document has more than 24. A bracket is probably
left open.""",
    ),
    "E118": Explained(
        "a key that is not text",
        """A key is a word. A number, nothing, a list or a mapping stands where a key belongs. Often the colon
of an IPv6 address made a key of its first part: quote addresses. A `{` that begins a value may also
need quotes.

    {address: "2001:db8::1"}""",
    ),
    "E120": Explained(
        "a line begins in the wrong column",
        """YAML tells by the column in which a line begins what it belongs to. Lines that belong together begin in one
column, and what belongs into a key begins deeper than the key, after a line that ends with a colon:

    sites:
      key: destination
      fields: {address: ip}

Here a line begins in a column in which nothing else does, or deeper than a line that has its value already.""",
    ),
    "E121": Explained(
        "a key stands one level too far out or in",
        """The key is known, but not where it stands: by its column it belongs to another mapping than the one that has
such a key. Indent it so that it begins in the column of the keys that it belongs to:

    endpoints:
      sites:
        key: destination
        capacity: 1000""",
    ),
}
