"""A header as RFCs draw it: 32 bits a row."""

from __future__ import annotations

from ...common.record import Record
from .model import Header

ROW = 32  # bits
_RULER = (
    " 0                   1                   2                   3\n"
    " 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1"
)


class _Piece(Record):
    """The part of a field that stands in one row: `first` bit in the row, and which field it is of."""

    field: int
    first: int
    bits: int


def diagram(header: Header) -> str:
    """The picture: a ruler, the rows, and below them what letters stand for where a name does not fit its field.

    Optional words are drawn; they are marked with `?` behind the name. A variable-length part has wavy edges.
    """
    fields = list(header.fields())
    optional = {f.name for w in header.words if w.optional_field for f in w.fields}
    names = [f.name + ("?" if f.name in optional else "") for f in fields]
    rows = _rows([f.bits for f in fields])
    labels, legend = _labels(names, [f.bits for f in fields])
    drawn = _named_rows(rows)
    lines = [_RULER, _border([], rows[0])]
    for number, row in enumerate(rows):
        cells = [_cell(labels[p.field] if (number, p.field) in drawn else "", p.bits) for p in row]
        lines.append("|" + "|".join(cells) + "|")
        lines.append(_border(row, rows[number + 1] if number + 1 < len(rows) else []))
    if header.variable is not None:
        lines += [f"~{_cell(header.variable.name, ROW)}~", _border([_Piece(0, 0, ROW)], [])]
    return "\n".join([*lines, "", *legend] if legend else lines) + "\n"


def _rows(widths: list[int]) -> list[list[_Piece]]:
    rows: list[list[_Piece]] = [[]]
    at = 0
    for number, width in enumerate(widths):
        while width:
            if at == ROW:
                rows.append([])
                at = 0
            bits = min(width, ROW - at)
            rows[-1].append(_Piece(number, at, bits))
            at, width = at + bits, width - bits
    return rows


def _named_rows(rows: list[list[_Piece]]) -> set[tuple[int, int]]:
    """(row, field) where a field's name stands: in the middle of its widest pieces."""
    pieces: dict[int, list[tuple[int, int]]] = {}
    for number, row in enumerate(rows):
        for piece in row:
            pieces.setdefault(piece.field, []).append((number, piece.bits))
    found = set()
    for field, of_field in pieces.items():
        widest = [number for number, bits in of_field if bits == max(b for _, b in of_field)]
        found.add((widest[(len(widest) - 1) // 2], field))
    return found


def _labels(names: list[str], widths: list[int]) -> tuple[list[str], list[str]]:
    """What is written into each field, and the explanation of letters."""
    labels, legend = [], []
    used: set[str] = set()
    for name, bits in zip(names, widths, strict=True):
        if len(name) <= 2 * bits - 1:
            labels.append(name)
            continue
        letters = [c for c in name.upper() if c.isalpha()] + list("0123456789")
        letter = next(c for c in letters if c not in used)
        used.add(letter)
        labels.append(letter)
        legend.append(f"{letter}: {name}")
    return labels, legend


def _cell(label: str, bits: int) -> str:
    return label.center(2 * bits - 1)


def _border(above: list[_Piece], below: list[_Piece]) -> str:
    """The line between two rows: open where the same field stands above and below."""
    line = []
    for bit in range(ROW):
        over, under = _at(above, bit), _at(below, bit)
        line.append("  " if over is not None and over == under else "+-" if (over, under) != (None, None) else "  ")
    text = "".join(line)
    if below == [] and above and above[-1].first + above[-1].bits < ROW:
        return text.rstrip() + "+"
    # A plus stands at the end of every dash, and at the edges of an open stretch.
    text = "".join("+" if c == " " and i and text[i - 1] == "-" else c for i, c in enumerate(text))
    if text[0] == " ":
        text = "+" + text[1:]
    return text.rstrip() + "+" if text.rstrip().endswith("-") else text + "+"


def _at(row: list[_Piece], bit: int) -> int | None:
    return next((p.field for p in row if p.first <= bit < p.first + p.bits), None)
