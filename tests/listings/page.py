"""A page's blocks: what a reader types and sees, in order, and where each stands in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A fenced block, or a comment that Markdown does not show, with what a listing needs and readers need not see.
BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>sh|console)\n(?P<body>.*?)^ *```$|^<!-- run\n(?P<hidden>.*?)^-->$",
    re.DOTALL | re.MULTILINE,
)
FILE = re.compile(r"^`(?P<name>[\w./-]+)`:\n\n```\w+\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """A command of a listing, as it is typed, and the lines under it. `prompt` is `# ` for root, else `$ `."""

    prompt: str
    typed: str
    output: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """`start` to `end` is the body in the page's text. `kind` is sh, console or hidden; only console has commands."""

    kind: str
    start: int
    end: int
    body: str
    commands: tuple[Command, ...] = ()


def blocks(text: str, first: int = 0, last: int | None = None) -> Iterator[Block]:
    """The blocks that begin in `text[first:last]`."""
    for found in BLOCK.finditer(text, first, len(text) if last is None else last):
        kind = found["language"] or "hidden"
        where = "hidden" if kind == "hidden" else "body"
        body = found[where]
        commands = tuple(_commands(body)) if kind == "console" else ()
        yield Block(kind, found.start(where), found.end(where), body, commands)


def _commands(body: str) -> Iterator[Command]:
    # The first line's prompt is the block's. Prometheus' comments begin with it too.
    lines = body.splitlines()
    prompt = lines[0][:2]
    if prompt not in ("# ", "$ "):
        raise ValueError(f"a console block begins with a prompt, not with {lines[0]!r}")
    starts = [n for n, line in enumerate(lines) if line.startswith(prompt) and line[2:7] not in ("HELP ", "TYPE ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield Command(prompt, lines[start][2:], tuple(lines[start + 1 : end]))


def files(text: str) -> dict[str, str]:
    """The files that a page shows whole: its name in backticks, a colon, then the block."""
    return {found["name"]: found["text"] for found in FILE.finditer(text)}


def section(text: str, title: str, end: str = "") -> tuple[int, int]:
    """Where the section `title` begins, and where the one titled `end` does; without `end`, the end of the text."""
    return text.index(f"\n{title}\n"), text.index(f"\n{end}\n") if end else len(text)
