"""E1xx: reading the file as YAML."""

from __future__ import annotations

from . import Explained

CODES: dict[str, Explained] = {
    "E101": Explained(
        "the spec cannot be read",
        """The file does not exist, or this user cannot read it. Names on the command line are relative to the current
folder. Check with `ls -l`.""",
    ),
    "E102": Explained(
        "the spec is not a regular file",
        """The path is a folder, a device or a pipe. A spec must be a regular file: it is hashed, and the files that it
names are relative to it.

    encap-compile overlay.yaml""",
    ),
    "E103": Explained(
        "the spec is too large",
        """A spec of more than 4 MiB cannot be reviewed by a person. Keep rows in a CSV file and prefix lists in a text
file, and name them:

    sites: {key: destination, fields: {address: ip}, file: sites.csv, capacity: 100000}""",
    ),
    "E104": Explained(
        "the spec is not UTF-8",
        """The file contains bytes that are not valid UTF-8, or it is UTF-16, as some editors save it. Save it as
UTF-8, for example with `iconv -f latin1 -t utf-8`.""",
    ),
    "E105": Explained(
        "the spec begins with a byte-order mark",
        """The first three bytes are EF BB BF. UTF-8 needs no byte-order mark, and other tools would read it as text.
Save the file as UTF-8 without BOM, or remove it: `sed -i '1s/^\\xEF\\xBB\\xBF//' SPEC`.""",
    ),
    "E106": Explained(
        "an invisible character",
        """Control characters, and line endings that only some programs recognise, are not allowed in a spec, because
what a reviewer sees must be what is compiled. Delete the character.""",
    ),
    "E107": Explained(
        "not YAML",
        """The file is not valid YAML here, or the mistake is a little above: a missing quote, bracket or brace, a
missing space after a colon, or lines of one list that begin in different columns. An IPv6 address in a list
or in braces needs quotes:

    {destination: "2001:db8::/32"}""",
    ),
    "E108": Explained(
        "a tab in the indentation",
        """YAML forbids tabs in indentation, because their width is not defined. Set the editor to spaces; `expand -t
2` converts a file.""",
    ),
    "E109": Explained(
        "an empty document",
        """The file contains only blank lines and comments. `encap-compile init` writes a first spec.""",
    ),
    "E110": Explained(
        "more than one document",
        """A line `---` begins a second YAML document. Each spec needs a file of its own: split the file.""",
    ),
    "E111": Explained(
        "a duplicate key",
        """A mapping has the same key twice. Most YAML readers silently keep the last one, so a part of what was
reviewed would not be in force. Keep one of them.""",
    ),
    "E112": Explained(
        "too many values",
        """With every alias (`*name`) expanded, the document has more than 200 000 values. Keep rows in a CSV file.""",
    ),
    "E113": Explained(
        "an alias without an anchor",
        """`*name` repeats the value marked with `&name`. The anchor must come first, in the same file. A value that
begins with `*` or `&` needs quotes.""",
    ),
    "E114": Explained(
        "a value that contains itself",
        """`*name` is inside the value that `&name` marks, so expanding it would never end. Write the value out.""",
    ),
    "E115": Explained(
        "a merge key",
        """`<<: *name` copies the keys of another mapping. The language has no inclusion, because a reader must see
every value in its place. Write the keys out.""",
    ),
    "E116": Explained(
        "a YAML tag",
        """`!name` and `!!type` change the type of a value for a YAML reader. Here the schema decides the type: leave
the tag out, and quote a value that must be text.""",
    ),
    "E117": Explained(
        "nested too deep",
        """A spec has only a few levels, and this document has more than 24. A bracket is probably not closed.""",
    ),
    "E118": Explained(
        "a key that is not text",
        """A key must be a word, but here it is a number, empty, a list or a mapping. Often the colon of an unquoted
IPv6 address turns its first part into a key: quote addresses. A `{` that begins a value may also need
quotes.

    {address: "2001:db8::1"}""",
    ),
    "E120": Explained(
        "a line begins in the wrong column",
        """In YAML, the column in which a line begins decides where it belongs. Keys of one mapping begin in the same
column, and the value of a key begins deeper than the key, after a line that ends with a colon:

    sites:
      key: destination
      fields: {address: ip}

Here a line begins in a column of its own, or deeper than a line that already has a value.""",
    ),
    "E121": Explained(
        "a key in the wrong mapping",
        """The key exists, but by its column it is in a mapping that does not have such a key. Indent it to the column
of the keys it belongs with:

    endpoints:
      sites:
        key: destination
        capacity: 1000""",
    ),
}
