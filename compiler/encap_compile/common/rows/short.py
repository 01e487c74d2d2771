"""What a person wrote, as a message repeats it: enough of it to be found again, however long it is.

Cells, keys and names come from files of any size, and a message is one line. The place shows where the whole stands.
"""

from __future__ import annotations

from ..diagnostics import NOWHERE, Findings, Place

LONGEST_QUOTED = 80  # characters between backticks; the longest right value, a row's name, has 64
LONGEST_WORD = 200  # without a space: a path, mostly
LONGEST_MESSAGE, LONGEST_HELP = 500, 1000
LONGEST_EXAMPLE = 160  # between backticks in help: what to write, on one line
END = 16  # of what is too long, the last characters are shown too: of a path, the name


class ShortFindings(Findings):
    """Findings that bound what they repeat; everything that is said about specs and rows comes through one."""

    def error(self, code: str, message: str, place: Place = NOWHERE, help: str = "", **more: object) -> None:
        super().error(code, short_message(message), place, short_help(help), **more)

    def warning(self, code: str, message: str, place: Place = NOWHERE, help: str = "") -> None:
        super().warning(code, short_message(message), place, short_help(help))


def short_message(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTED else _shorter(text, LONGEST_QUOTED, LONGEST_MESSAGE)


def short_help(text: str) -> str:
    return text if len(text) <= LONGEST_EXAMPLE else _shorter(text, LONGEST_EXAMPLE, LONGEST_HELP)


def _shorter(text: str, most_quoted: int, most: int) -> str:
    lines = []
    for line in text.split("\n"):
        parts = line.split("`")
        for i, part in enumerate(parts):
            between = i % 2 == 1 and i < len(parts) - 1  # backticks; what follows a lone one is not
            parts[i] = _middle_out(part, most_quoted) if between else _words(part)
        lines.append("`".join(parts))
    return _middle_out("\n".join(lines), most)


def _words(text: str) -> str:
    return " ".join(_middle_out(word, LONGEST_WORD) for word in text.split(" "))


def _middle_out(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - END - 3]}...{text[-END:]}"
