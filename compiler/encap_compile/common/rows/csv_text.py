"""CSV files as columns of text, with the place of every cell found only when it is asked for.

The dialect: UTF-8 (a byte-order mark is allowed), a header line with the column names in any order, commas, cells
optionally in double quotes, spaces around cells ignored, CRLF or LF. Lines that are blank or begin with `#` are
skipped. A cell has no line break in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from pathlib import Path

from ..diagnostics import Findings, Place
from ..record import Record

MOST_BYTES = 1 << 30
CHUNK = 4 << 20  # bytes that are read at once, and the longest line
BEYOND = 100_000  # rows that are read beyond what a table can hold, to say how many there are


class Sheet(Record):
    """Rows as columns of text. `cells[c][r]` is "" where a row says nothing; `place(r, c)` finds a cell again.

    Column -1 in `place` is the row as a whole. `lines` are line numbers, of files only.
    """

    path: str
    columns: tuple[str, ...]
    cells: tuple[Sequence[str], ...]
    count: int
    lines: Sequence[int]
    place: Callable[[int, int], Place]

    def column(self, name: str) -> Sequence[str] | None:
        return self.cells[self.columns.index(name)] if name in self.columns else None


def read_text(path: str, findings: Findings, most: int = MOST_BYTES) -> str | None:
    """The file's text with LF line ends and without a byte-order mark; None after a finding (E601).

    It is read as far as it has `most` rows and BEYOND more: what a table cannot hold need not fit into memory either.
    """
    place = Place(path)
    try:
        if not Path(path).is_file():
            what = "is not a regular file" if Path(path).exists() else "does not exist"
            findings.error("E601", f"{path} {what}", place)
            return None
        if Path(path).stat().st_size > MOST_BYTES:
            findings.error("E601", f"{path} is larger than {MOST_BYTES >> 20} MiB", place)
            return None
        data = _read(path, most + BEYOND)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "its name cannot be used"
        findings.error("E601", f"{path} cannot be read: {reason}", place)
        return None
    if len(data) > CHUNK and (line := _longest(data)):
        findings.error("E601", f"a line is longer than {CHUNK >> 20} MiB", Place(path, line), "is it a text file?")
        return None
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8", "replace")) + 1
        findings.error(
            "E601", f"byte 0x{data[error.start]:02x} is not UTF-8", Place(path, line, column), "save the file as UTF-8"
        )
        return None
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        findings.error("E601", "there is a NUL character in the file", Place(path, line), "is it a text file?")
        return None
    return text


def _read(path: str, most: int) -> bytes:
    """The file; of one with more than `most` rows, whole lines with more than those."""
    data = bytearray()
    lines = rows = validated = 0
    with Path(path).open("rb") as file:
        while chunk := file.read(CHUNK):
            data += chunk
            found = chunk.count(b"\n")
            lines += found
            # Comments and empty lines are told from rows only where there could be too many.
            if found and lines > most + 1:
                end = data.rindex(b"\n") + 1
                rows += _rows(data[validated:end])
                validated = end
                if rows > most + 1:  # the header is counted too
                    return bytes(data[:end])
            if not found and len(chunk) == CHUNK:
                break  # a line that is too long
    return bytes(data)


def _rows(data: bytes | bytearray) -> int:
    """Lines that are neither empty nor a comment."""
    return sum(line.lstrip()[:1] not in (b"", b"#") for line in data.split(b"\n"))


def _longest(data: bytes) -> int:
    """The number of the first line that is longer than CHUNK; 0 if there is none."""
    start = 0
    while len(data) - start > CHUNK:
        end = data.rfind(b"\n", start, start + CHUNK + 1)
        if end < 0:
            return data.count(b"\n", 0, start) + 1
        start = end + 1
    return 0


def parse_sheet(path: str, text: str, findings: Findings) -> Sheet | None:
    """The rows of a CSV text; None after findings (E602, E605, E629)."""
    lines = text.split("\n")
    kept: Sequence[int] = range(len(lines) - 1)
    if text[-1:] != "\n" or text[0] in "#\n" or "\n#" in text or "\n\n" in text or " " in text or "\t" in text:
        kept = [n for n, line in enumerate(lines) if line.strip()[:1] not in ("", "#")]
    if not kept:
        findings.error("E629", f"{path} is empty", Place(path), "the first line names the columns")
        return None
    quoted = '"' in text
    rows = _quoted_rows(path, lines, kept, findings) if quoted else None
    if quoted and rows is None:
        return None
    top, kept = kept[0], kept[1:]

    def place(row: int, column: int) -> Place:
        n = kept[row] if row >= 0 else top
        return _cell_place(path, n + 1, lines[n], column)

    if rows is None:
        header = tuple(c.strip() for c in lines[top].split(","))
        written = lines[kept[0] : kept[-1] + 1] if isinstance(kept, range) and kept else [lines[n] for n in kept]
        commas = list(map(str.count, written, repeat(",")))
        even = commas.count(len(header) - 1) == len(commas)
        wrong = [] if even else [i for i, count in enumerate(commas) if count != len(header) - 1]
    else:
        header = tuple(rows[0])
        wrong = [i for i, row in enumerate(rows[1:]) if len(row) != len(header)]
    if not _header_ok(header, place, findings):
        return None
    if wrong:
        _uneven(wrong, header, lines, kept, place, findings)
        return None
    if rows is None:
        # One long list of cells, sliced into columns: no object is made per row.
        cells = ",".join(written).split(",") if written else []
        if " " in text or "\t" in text:
            cells = [cell.strip() for cell in cells]
    else:
        cells = [cell for row in rows[1:] for cell in row]
    width = len(header)
    columns = tuple(cells[c::width] for c in range(width))
    return Sheet(path, header, columns, len(kept), [n + 1 for n in kept], place)


def _quoted_rows(path: str, lines: list[str], kept: Sequence[int], findings: Findings) -> list[list[str]] | None:
    rows = []
    for n in kept:
        cells = _quoted(lines[n])
        if cells is None:
            findings.error(
                "E602",
                "a quoted cell does not end on its line, or text stands outside its quotes",
                Place(path, n + 1, lines[n].index('"') + 1),
                'write "" for a quote inside a quoted cell; a cell has no line break',
            )
            return None
        rows.append(cells)
    return rows


def _header_ok(header: tuple[str, ...], place: Callable[[int, int], Place], findings: Findings) -> bool:
    ok = True
    for column, name in enumerate(header):
        if not name:
            findings.error("E602", "a column has no name", place(-1, column), "the first line names every column")
            ok = False
        elif name in header[:column]:
            findings.error(
                "E605",
                f"column `{name}` occurs twice",
                place(-1, column),
                "keep one of them",
                related=((place(-1, header.index(name)), "the first"),),
            )
            ok = False
    return ok


def _uneven(
    wrong: list[int],
    header: tuple[str, ...],
    lines: list[str],
    kept: Sequence[int],
    place: Callable[[int, int], Place],
    findings: Findings,
) -> None:
    for i in wrong[:20]:
        count = len(_spans(lines[kept[i]]))
        findings.error(
            "E602",
            f"{count} cell{'' if count == 1 else 's'} where the header names {len(header)} columns",
            place(i, -1) if count < len(header) else place(i, len(header)),
            f"the columns are {','.join(header)}; an empty cell still has its comma",
        )
    if len(wrong) > 20:
        findings.error("E602", f"{len(wrong) - 20} more rows with a wrong number of cells", place(wrong[20], -1))


def _quoted(line: str) -> list[str] | None:
    """The cells of a line that has quotes; None if they do not pair up."""
    cells = []
    for start, end in _spans(line):
        cell = line[start:end].strip()
        if cell.startswith('"'):
            inner = cell[1:-1].replace('""', "")
            if len(cell) < 2 or not cell.endswith('"') or '"' in inner:
                return None
            cell = cell[1:-1].replace('""', '"')
        elif '"' in cell:
            return None
        cells.append(cell)
    return cells


def _spans(line: str) -> list[tuple[int, int]]:
    """(start, end) of every cell, its quotes included."""
    spans, start, inside = [], 0, False
    for i, c in enumerate(line):
        if c == '"':
            inside = not inside
        elif c == "," and not inside:
            spans.append((start, i))
            start = i + 1
    return [*spans, (start, len(line))]


def _cell_place(path: str, number: int, line: str, column: int) -> Place:
    if column < 0:
        return Place(path, number, 1, len(line) + 1)
    spans = _spans(line)
    if column >= len(spans):
        return Place(path, number, len(line) + 1)
    start, end = spans[column]
    cell = line[start:end]
    start += len(cell) - len(cell.lstrip())
    return Place(path, number, start + 1, start + 1 + max(1, len(cell.strip())))
