"""Tables of endpoints."""

from __future__ import annotations

from types import MappingProxyType

from ...common.diagnostics import Findings, Place
from ...common.documents.nodes import Node
from ...common.suggest import did_you_mean
from ..spec import Cell, Row, Shape, Table
from .files import named_file
from .later import POOLS
from .schema_parts import KEY_WORDS
from .schema_words import later

OWN_COLUMNS = ("name", "encapsulation")
LEAST_ROOM = 16  # rows
LATER_COLUMNS = ("priority", "weight", "state")


def build_table(name: str, node: Node, place: Place, spec_path: str, findings: Findings) -> Table:
    """A table with its inline rows; a file is only looked for (E211, E310, E320, E321, E618, N9)."""
    places = dict(node.keys)
    fields = node.value["fields"]
    key = _key(node.get("key"), findings)
    key_node = node.get("key")
    columns = (
        {*OWN_COLUMNS, *LATER_COLUMNS, *(str(k.value) for k in key_node.each())}
        if key_node
        else OWN_COLUMNS + LATER_COLUMNS
    )
    for field, at in fields.keys.items():
        places[f"fields.{field}"] = at
        if field in columns:
            words = f"a field cannot be called `{field}`: rows have a column of that name already"
            findings.error("E310", words, at, "choose another name")
    for word in ("key", "file", "encapsulation", "capacity", "fixed"):
        if (value := node.get(word)) is not None:
            places[word] = value.place
    rows_node, file_node = node.get("rows"), node.get("file")
    capacity, fixed = node.get("capacity"), node.get("fixed")
    known = {"name", *key, *fields.keys} | ({"encapsulation"} if node.get("encapsulation") else set())
    rows = tuple(_row(row, known, findings) for row in rows_node.value) if rows_node else ()
    if file_node is not None and capacity is None and not (fixed and fixed.value):
        help = "add `capacity: N`: the most rows that the map shall hold; memory for them is allocated when it loads"
        findings.error("E211", "a table with `file` needs `capacity`", node.keys["file"], help)
    shape = node.get("shape")
    encapsulation = node.get("encapsulation")
    return Table(
        name=name,
        key=key,
        fields=MappingProxyType({field: kind.value for field, kind in fields.items()}),
        encapsulations=tuple(_once(encapsulation, findings)) if encapsulation else (),
        rows=rows,
        file=named_file(file_node, spec_path, findings) if file_node else None,
        capacity=capacity.value if capacity else len(rows) if file_node else _room_for(len(rows)),
        fixed=bool(fixed and fixed.value),
        shape=_shape(shape) if shape else Shape(),
        place=place,
        places=MappingProxyType(places),
    )


def _room_for(rows: int) -> int:
    """A power of two, so that one more row is one more row, and seldom another map and other programs."""
    return max(LEAST_ROOM, 1 << max(rows - 1, 0).bit_length())


def _once(node: Node, findings: Findings) -> list[str]:
    found: list[str] = []
    for item in node.each():
        if item.value in found:
            findings.error("E308", f"`{item.value}` is in the list twice", item.place, "keep one of them")
        else:
            found.append(item.value)
    return found


def _key(node: Node | None, findings: Findings) -> tuple[str, ...]:
    found: list[str] = []
    for item in node.each() if node else ():
        word: str = item.value
        if word in found:
            findings.error("E618", f"`{word}` is in the key twice", item.place, "keep one of them")
        elif word not in KEY_WORDS and not word.startswith("received."):
            near = did_you_mean(word, KEY_WORDS, f"one of {', '.join(KEY_WORDS)}, or received.HEADER.FIELD")
            findings.error("E618", f"`{word}` cannot be part of a key", item.place, near)
        else:
            found.append(word)
    return tuple(found)


def _shape(node: Node) -> Shape:
    lengths = node.value["prefix_lengths"]
    return Shape(tuple(sorted({item.value for item in lengths.value})), lengths.place)


def _row(node: Node, known: set[str], findings: Findings) -> Row:
    for column, place in node.keys.items():
        if column in LATER_COLUMNS:
            problem = later(POOLS, column)
            findings.error(problem.code, problem.message, place, problem.help)
    # Of a column that is not known the name is wrong, not the value.
    cells = {c: Cell(cell.value, cell.place if c in known else node.keys[c]) for c, cell in node.items()}
    return Row(MappingProxyType(cells), node.start)
