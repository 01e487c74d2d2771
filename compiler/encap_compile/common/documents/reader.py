"""YAML bytes to nodes: positions for every key and value, and nothing of YAML that surprises.

Duplicate keys, merge keys, tags, several documents and keys that are not text are refused; aliases, depth and size
are bounded. The C parser of PyYAML is used where it is there; the pure one gives the same tree.
"""

from __future__ import annotations

from re import compile as pattern
from typing import Any, NamedTuple

import yaml

from ..diagnostics import Findings, Place
from .indentation import WrongColumn, wrong_column
from .nodes import Node
from .scalars import resolve

MOST_NODES = 200_000  # with every alias written out
DEEPEST = 24
_LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)
# C0 without tab and line ends, DEL, C1, and the line ends that only YAML 1.1 counts; lone surrogates cannot occur.
_UNPRINTABLE = pattern("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


class Kind(NamedTuple):
    """What a document is, for messages: `noun`, and what to do about an empty one."""

    noun: str
    when_empty: str


SPEC = Kind("spec", "`encap-compile init` writes a first spec")
HOST_FILE = Kind("host file", "`encapctl explain H103` shows one")


def read_yaml(data: bytes, path: str, findings: Findings, kind: Kind = SPEC) -> Node | None:
    """The document's root, or None after findings (E104 to E120). Other findings may be there with a root."""
    text = _decode(data, path, findings)
    if text is None:
        return None
    found = _UNPRINTABLE.search(text)
    if found:
        line, column = _line_column(text, found.start())
        findings.error(
            "E106",
            f"the character U+{ord(found[0]):04X} cannot be in a {kind.noun}",
            Place(path, line, column, column + 1),
            "delete it; it cannot be seen in most editors",
        )
        return None
    builder = _Builder(path, text, findings, kind)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if not builder.take(event):
                return None
    except yaml.MarkedYAMLError as error:
        _syntax(error, path, text, findings)
        return None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        findings.error("E107", f"this is not YAML: {str(error).splitlines()[0]}", Place(path, 1, 1))
        return None
    if builder.root is None or (builder.root.kind == "null" and not builder.root.text):
        findings.error("E109", "the document is empty", Place(path, 1, 1), kind.when_empty)
        return None
    return builder.root


def _decode(data: bytes, path: str, findings: Findings) -> str | None:
    for mark, name in ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")):
        if data.startswith(mark):
            findings.error("E104", f"the file is {name}, not UTF-8", Place(path, 1, 1), "save it as UTF-8")
            return None
    if data.startswith(b"\xef\xbb\xbf"):
        findings.error(
            "E105", "the file begins with a byte-order mark", Place(path, 1, 1), "save it as UTF-8 without BOM"
        )
        return None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        line, column = _line_column(before, len(before))
        findings.error(
            "E104",
            f"byte 0x{data[error.start]:02x} is not UTF-8",
            Place(path, line, column, column + 1),
            "save the file as UTF-8",
        )
        return None


def _line_column(text: str, index: int) -> tuple[int, int]:
    before = text[:index].replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _syntax(error: yaml.MarkedYAMLError, path: str, text: str, findings: Findings) -> None:
    problem, context = error.problem or "it cannot be read", error.context or ""
    mark = error.problem_mark or error.context_mark
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    def place(mark: yaml.Mark | None) -> Place:
        if mark is None:
            return Place(path, 1, 1)
        number, column = min(mark.line, len(lines) - 1), mark.column
        while number and not lines[number].strip():  # at the end of the text: show the last line that has any
            number -= 1
        column = column if number == mark.line else len(lines[number])
        return Place(path, number + 1, column + 1, column + 2)

    def line(mark: yaml.Mark | None) -> str:
        return lines[mark.line] if mark and mark.line < len(lines) else ""

    indentation = line(mark)[: len(line(mark)) - len(line(mark).lstrip(" \t"))]
    if "\t" in indentation and mark:
        at = indentation.index("\t") + 1
        findings.error(
            "E108",
            "a tab in the indentation",
            Place(path, mark.line + 1, at, at + 1),
            "indent with spaces: YAML forbids tabs there",
        )
    elif "alias" in problem or "anchor" in problem:
        findings.error("E113", problem, place(mark), "quote a value that begins with `*` or `&`")
    elif context == "while scanning a simple key":
        # Noticed at the next line; the key without its value is where the context is.
        help = (
            "put a space after the colon"
            if ":" in line(error.context_mark)
            else "a key is followed by `: ` and its value"
        )
        findings.error("E107", "this is not YAML: neither a key nor a value", place(error.context_mark), help)
    elif "quoted" not in context and "flow" not in context and (found := wrong_column(lines, place(mark).line)):
        _indentation(found, path, lines, findings)
    else:
        related: tuple[tuple[Place, str], ...] = ()
        if error.context_mark and place(error.context_mark) != place(mark):
            related = (
                (place(error.context_mark), context.replace("while parsing", "in").replace("while scanning", "in")),
            )
        findings.error(
            "E107", f"this is not YAML: {problem}", place(mark), _advice(problem, line(mark)), related=related
        )


def _indentation(found: WrongColumn, path: str, lines: list[str], findings: Findings) -> None:
    name = lines[found.other - 1].strip().removeprefix("- ").partition(":")[0][:40]
    spaces = f"{found.expected - 1 or 'no'} space{'' if found.expected == 2 else 's'}"
    findings.error(
        "E120",
        f"this line begins in column {found.column}, and line {found.other} in column {found.expected}",
        Place(path, found.line, found.column, found.column + 1),
        f"beside `{name}` it needs {spaces} before it, as that has; inside of something it begins deeper than that",
        related=((Place(path, found.other, found.expected, found.expected + 1), f"column {found.expected}"),),
    )


def _advice(problem: str, line: str) -> str:
    if "cannot start any token" in problem or line.lstrip()[:1] in ("@", "`", "%", "*", "&", "!"):
        return "quote a value that begins with this character"
    if "not allowed" in problem:
        return "does the line begin in the right column? A value with a colon in it, like an IPv6 address, needs quotes"
    if "expected '-'" in problem and not line.lstrip().startswith("-"):
        return "it begins where the elements of a list do: put `- ` before it, or begin it in another column"
    if "expected key" in problem and line.lstrip().startswith("- "):
        return "an element of a list stands beside a key: begin it deeper, below the key that the list belongs to"
    if "node content" in problem and ":" in line:
        return "a value is missing, or an IPv6 address stands here without quotes"
    return "look for a missing quote, bracket, comma or dash, here or where it began"


class _Builder:
    """Takes parser events, keeps the open collections on a stack."""

    def __init__(self, path: str, text: str, findings: Findings, kind: Kind) -> None:
        self.path, self.text, self.findings, self.kind = path, text, findings, kind
        self.root: Node | None = None
        self.stack: list[tuple[Node, str | None]] = []  # open collections, each with its anchor
        self.pending: list[tuple[str | None, Place]] = []  # of each open collection: the key waiting for a value
        self.anchors: dict[str, Node | None] = {}  # None while its node is open
        self.documents = 0
        self.total = 0

    def take(self, event: Any) -> bool:
        """False when there is no going on."""
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                place = self._place(event)
                self.findings.error(
                    "E110", "a second document", place, f"one file is one {self.kind.noun}; remove the `---`"
                )
                return False
        elif isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            return self._open(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            node, anchor = self.stack.pop()
            self.pending.pop()
            if anchor:
                self.anchors[anchor] = node
            return self._put(node)
        elif isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        return True

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        on_one_line = start.line == end.line and end.column > start.column
        return Place(self.path, start.line + 1, start.column + 1, end.column + 1 if on_one_line else 0)

    def _tagged(self, event: Any) -> None:
        if event.tag:
            self.findings.error(
                "E116", f"the tag {event.tag} is not used here", self._place(event), "leave the tag out"
            )

    def _scalar(self, event: Any) -> bool:
        self._tagged(event)
        place = self._place(event)
        plain = not event.style  # None from the pure parser, "" from the C one
        if plain and not event.tag:
            kind, value = resolve(event.value)
        else:
            kind, value = "string", event.value
        node = Node(kind, value, place, event.value if plain else "")
        if event.anchor:
            self.anchors[event.anchor] = node
        return self._put(node)

    def _open(self, event: Any) -> bool:
        self._tagged(event)
        place = self._place(event)
        mapping = isinstance(event, yaml.MappingStartEvent)
        if len(self.stack) >= DEEPEST:
            self.findings.error(
                "E117", f"more than {DEEPEST} levels of nesting", place, f"no part of a {self.kind.noun} is so deep"
            )
            return False
        if event.anchor:
            self.anchors[event.anchor] = None
        self.stack.append((Node("object", {}, place) if mapping else Node("array", [], place), event.anchor))
        self.pending.append((None, place))
        return True

    def _alias(self, event: Any) -> bool:
        place = self._place(event)
        if event.anchor not in self.anchors:
            self.findings.error("E113", f"there is no `&{event.anchor}` before this", place, "define it above")
            return False
        node = self.anchors[event.anchor]
        if node is None:
            self.findings.error("E114", f"`*{event.anchor}` contains itself", place, "write the value out")
            return False
        return self._put(node)

    def _put(self, node: Node) -> bool:
        """Into the innermost open collection."""
        self.total += 1
        if not self.stack:
            self.root = node
            return True
        parent = self.stack[-1][0]
        if parent.kind == "array":
            parent.value.append(node)
        elif self.pending[-1][0] is None:
            return self._key(node)
        else:
            key, place = self.pending[-1]
            self.pending[-1] = (None, place)
            if key is not None and key not in parent.value:
                parent.value[key] = node
        parent.size += node.size
        if parent.size > MOST_NODES:
            words = f"more than {MOST_NODES} values, with every alias written out"
            self.findings.error("E112", words, node.place, "keep rows in a CSV file, and say `file:`")
            return False
        return True

    def _key(self, node: Node) -> bool:
        parent = self.stack[-1][0]
        key = node.value if node.kind == "string" else None
        if key == "<<" and node.text == "<<":
            self.findings.error("E115", "merge keys are not used here", node.place, "write the keys out")
        elif key is None:
            help = "quote it, if it is meant"
            if node.kind in ("object", "array"):
                help = "a key is one word"
            self.findings.error("E118", "this key is not text", node.place, help)
        elif key in parent.value:
            first = (parent.keys[key], "the first")
            self.findings.error("E111", f"the key `{key}` occurs twice", node.place, "keep one", related=(first,))
        else:
            parent.keys[key] = node.place
        # A refused key still takes its value; a name that no key can have keeps the two in step.
        self.pending[-1] = (key if key is not None else f"\0{len(parent.keys)}", node.place)
        return True
