"""Comments within the line length: clang-format lays code out, and leaves comments as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import wrap

COLUMNS = 100  # ColumnLimit of clang-format.yaml
TAB = 8

_ALONE = re.compile(r"(\t*)/\* (.*) \*/")
_MEANING = re.compile(r" +[A-Z]+ {2,}")  # a word, and in a column of its own what it means
_BEHIND_CODE = re.compile(r"(\t*)(\S.*?) /\* (.*) \*/")


def wrap_comments(text: str) -> str:
    """The C with comments that are too long for their line on several lines, above the code that they stood behind."""
    return "\n".join(_wrapped(text.split("\n")))


def _wrapped(lines: list[str]) -> Iterator[str]:
    block: list[str] = []
    for line in lines:
        if block or line.strip() == "/*":
            block.append(line)
            if line.endswith("*/"):
                yield from _block(block) if any(map(_too_long, block)) else block
                block = []
        elif not _too_long(line):
            yield line
        elif alone := _ALONE.fullmatch(line):
            yield from _comment(alone[1], [alone[2]])
        elif behind := _BEHIND_CODE.fullmatch(line):
            yield from _comment(behind[1], [behind[3]])
            yield behind[1] + behind[2]
        else:
            yield line
    yield from block


def _too_long(line: str) -> bool:
    return len(line) > COLUMNS - (TAB - 1) * line.count("\t") and len(line.expandtabs(TAB)) > COLUMNS


def _block(lines: list[str]) -> Iterator[str]:
    """A comment of several lines again, filled where a line is too long.

    Its paragraphs stay, and what is indented: examples behind a tab as they are, lists, and words with what they mean,
    which may go on below their meaning.
    """
    indent = lines[0].removesuffix("/*")
    paragraphs: list[str] = []
    filled = False  # whether the next line goes on with the last paragraph
    for line in lines[1:-1]:
        content = line.strip().removeprefix("*").removeprefix(" ")
        meaning = _MEANING.match(paragraphs[-1]) if paragraphs else None
        listed = not content or content.startswith((" ", "\t", "- "))
        if (filled and not listed) or (meaning and content.startswith(" " * len(meaning[0]))):
            paragraphs[-1] += f" {content.strip()}"
        else:
            paragraphs.append(content)
            filled = not listed
    yield from _comment(indent, paragraphs)


def _comment(indent: str, paragraphs: list[str]) -> Iterator[str]:
    width = COLUMNS - TAB * len(indent) - len(" * ")
    if len(paragraphs) == 1 and len(paragraphs[0]) <= width - len(" */"):
        yield f"{indent}/* {paragraphs[0]} */"
        return
    yield f"{indent}/*"
    for paragraph in paragraphs:
        yield from (f"{indent} *{line}" for line in _filled(paragraph, width))
    yield f"{indent} */"


def _filled(paragraph: str, width: int) -> list[str]:
    """The lines of a paragraph, each with what stands between it and the asterisk."""
    if not paragraph or paragraph.startswith("\t"):
        return [paragraph]
    meaning = _MEANING.match(paragraph)
    margin = " " * (len(paragraph) - len(paragraph.lstrip()))
    first, rest = (meaning[0], paragraph[meaning.end() :]) if meaning else (margin, paragraph.strip())
    below = " " * len(first)
    found = wrap(
        rest, width, initial_indent=first, subsequent_indent=below, break_long_words=False, break_on_hyphens=False
    )
    return [f" {line}" for line in found]
