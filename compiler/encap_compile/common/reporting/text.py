"""For a terminal: the message, the place, the line with a caret under the text, and what to do."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TextIO

from ..diagnostics import Diagnostic, Place, Severity
from .sources import Sources

WIDTH = 160  # a longer source line is shown in part
COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}


def write(diagnostics: Sequence[Diagnostic], stream: TextIO, texts: Mapping[str, str], program: str) -> None:
    """Write all, with a summary line; nothing when there are none."""
    if not diagnostics:
        return
    sources = Sources(texts)
    style = _Style(stream.isatty() and "NO_COLOR" not in os.environ)
    blocks = ["\n".join(_block(d, sources, style)) for d in diagnostics]
    stream.write("\n\n".join(blocks) + "\n\n" + _summary(diagnostics, program) + "\n")


class _Style:
    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text


def _block(d: Diagnostic, sources: Sources, style: _Style) -> list[str]:
    colour = COLOURS[d.severity]
    head = style.paint(f"{d.severity.value}[{d.code}]", f"1;{colour}")
    lines = [f"{head}: {style.paint(_printable(d.message), '1')}"]
    places = [d.place, *(place for place, _ in d.related)]
    margin = max((len(str(place.line)) for place in places if place.line), default=1)
    gap = " " * margin
    if d.place.file:
        lines.append(f"{gap}{style.paint('-->', '34')} {d.place}")
        lines += _excerpt(d.place, "^", "", margin, sources, style, colour)
    for place, words in d.related:
        lines.append(f"{gap}{style.paint(':::', '34')} {place}")
        lines += _excerpt(place, "-", words, margin, sources, style, "34")
    for number, line in enumerate(d.help.splitlines()):
        lines.append(f"{gap} {style.paint('= help:' if number == 0 else '       ', '36')} {_printable(line)}")
    return lines


def _excerpt(
    place: Place, mark: str, words: str, margin: int, sources: Sources, style: _Style, colour: str
) -> list[str]:
    line = sources.line(place.file, place.line) if place.line else None
    bar = style.paint("|", "34")
    if line is None:
        return [f"{' ' * margin} {bar} {words}"] if words else []
    column = min(max(place.column, 1), len(line) + 1)
    end = min(place.end_column, len(line) + 1) if place.end_column > column else column + 1
    left, shown = _window(line, column)
    before = shown[: column - 1 - left]
    marked = shown[column - 1 - left : end - 1 - left]
    # Tabs stay tabs and wide characters take two cells, so that the mark stands under the text.
    indent = "".join("\t" if c == "\t" else " " * _cells(c) for c in before)
    marks = mark * max(1, sum(1 if c == "\t" else _cells(c) for c in marked))
    number = style.paint(str(place.line).rjust(margin), "34")
    return [
        f"{' ' * margin} {bar}",
        f"{number} {bar} {_printable(shown)}".rstrip(),
        f"{' ' * margin} {bar} {indent}{style.paint(marks + (' ' + words if words else ''), colour)}",
    ]


def _window(line: str, column: int) -> tuple[int, str]:
    """(characters cut off at the left, the part that is shown)."""
    if len(line) <= WIDTH:
        return 0, line
    left = max(0, column - 1 - WIDTH // 2)
    return left, line[left : left + WIDTH]


def _cells(character: str) -> int:
    if character < "\u0300":
        return 1
    from unicodedata import combining, east_asian_width

    return 0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1


def _printable(text: str) -> str:
    """Control characters, which could move the cursor or colour the terminal, become a replacement sign."""
    return "".join(c if c == "\t" or c.isprintable() or c == "\u3000" else "\ufffd" for c in text)


def _summary(diagnostics: Sequence[Diagnostic], program: str) -> str:
    counts = []
    for severity in Severity:
        count = sum(d.severity is severity for d in diagnostics)
        if count:
            counts.append(f"{count} {severity.value}{'s' if count > 1 else ''}")
    first = next((d for d in diagnostics if d.severity is Severity.ERROR), diagnostics[0])
    return f"{', '.join(counts)}; `{program} explain {first.code}` says more"
