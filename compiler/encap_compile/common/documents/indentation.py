"""A line that begins in the wrong column, which the YAML parser notices later and calls something else.

It is asked only after the parser has refused a text, and says nothing when it is not sure.
"""

from __future__ import annotations

from re import compile as pattern
from typing import NamedTuple

_STRING = pattern(r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*\"""")
_COMMENT = pattern(r"(?:^|(?<=\s))#.*$")
_OPENS = pattern(r":\s*(?:[&!]\S+\s*)*$|-\s*$")  # what follows is deeper
_TEXT_OPENS = pattern(r":\s*[|>][-+0-9]*\s*$|-\s*[|>][-+0-9]*\s*$")


class WrongColumn(NamedTuple):
    """`line` begins in `column`, and `other`, which it may belong beside, in `expected`. All count from 1."""

    line: int
    column: int
    other: int
    expected: int


class _Level(NamedTuple):
    column: int
    line: int


def wrong_column(lines: list[str], last: int) -> WrongColumn | None:
    """The first line up to `last` (from 1) that begins where no open block does, or deeper without a reason."""
    levels: list[_Level] = []
    opened, brackets, text_in = True, 0, -1
    for number, line in enumerate(lines[:last], 1):
        bare = line.lstrip(" ")
        column = len(line) - len(bare)
        if text_in >= 0 and (not bare.strip() or column > text_in):
            continue  # inside a block of text
        text_in = -1
        code = _COMMENT.sub("", _STRING.sub('""', line)).rstrip()
        if not code.strip() or bare.startswith(("---", "...", "%")):
            continue
        inside, brackets = brackets, brackets + sum(code.count(c) for c in "[{") - sum(code.count(c) for c in "]}")
        if inside > 0:
            continue  # a mapping or list in brackets: columns mean nothing there
        if ":" not in code and not bare.startswith("-"):
            continue  # text that goes on in a second line
        closed = None
        while levels and levels[-1].column > column:
            closed = levels.pop()
        same = bool(levels) and levels[-1].column == column
        if not same and levels and (closed or not opened):
            near = closed if closed and closed.column - column < column - levels[-1].column else levels[-1]
            return WrongColumn(number, column + 1, near.line, near.column + 1)
        if same:
            levels[-1] = _Level(column, number)
        else:
            levels.append(_Level(column, number))
        # `- key: value` opens the list and, behind the dash, a mapping.
        rest = bare
        while rest.startswith("- "):
            rest = rest[2:].lstrip(" ")
            column = len(line) - len(rest)
            levels.append(_Level(column, number))
        opened = bool(_OPENS.search(code))
        text_in = column if _TEXT_OPENS.search(code) else -1
    return None
