"""What the demo shows: steps, pictures of packets, checks and the verdict. Colours only where a terminal is."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich import filesize
from rich.console import Console
from rich.text import Text

from .dissect import Layer

HEX_COLUMNS = 16  # bytes of a header on one line: a picture fits 80 columns
WIDTH = 110  # of what commands print


class Screen:
    """Writes to the terminal and counts the checks."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        self.started = time.monotonic()
        self.passed = 0
        self.failed = 0
        self._step = 0

    def line(self, *parts: str | tuple[str, str]) -> None:
        """One line; a part may be (text, style)."""
        self.console.print(Text.assemble(*parts), soft_wrap=True)

    def title(self, name: str, what: str) -> None:
        self.line((name, "bold"), f"  {what}")

    def step(self, what: str) -> None:
        self._step += 1
        self.line()
        self.line((f"{self._step}  {what}", "bold cyan"))

    def command(self, text: str, seconds: float) -> None:
        self.line("   ", ("$ ", "dim"), text, (f"   {seconds:.2f} s", "dim"))

    def output(self, text: str) -> None:
        """What a command printed, or a drawing, as it is."""
        for line in text.rstrip().splitlines():
            indent = " " * (len(line) - len(line.lstrip()) + 3)
            # Whatever is longer is a list and not a table, so it may be broken between words.
            parts = (
                textwrap.wrap(
                    line.strip(), WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
                )
                if len(line) + 3 > WIDTH
                else [f"   {line}"]
            )
            for part in parts:
                self.line(part)

    def picture(self, caption: str, layers: Sequence[Layer], added: int) -> None:
        """A frame as a box, a row for each header. The first `added` bytes are what the program put in front."""
        total = sum(len(layer.data) for layer in layers)
        rows: list[tuple[str, str, str, str]] = []
        at = 0
        for layer in layers:
            style, mark = ("bold green", "+") if at < added else ("", " ")
            at += len(layer.data)
            rows.append((f"{mark} {layer.name:<8}", f"{len(layer.data):>4}", layer.text, style))
            for start in range(0, min(len(layer.data), 3 * HEX_COLUMNS), HEX_COLUMNS):
                rows.append(("", "", _hex(layer.data[start : start + HEX_COLUMNS]), "dim"))
        width = max(len(row[2]) for row in rows)
        extra = f", {added} of them added" if added else ""
        self.line(f"   {caption} ", (f"({total} bytes{extra})", "dim"))
        self.line(f"   ┌{'─' * 12}┬{'─' * 6}┬{'─' * (width + 2)}┐")
        for number, (name, length, text, style) in enumerate(rows):
            if name and number:
                self.line(f"   ├{'─' * 12}┼{'─' * 6}┼{'─' * (width + 2)}┤")
            self.line("   │ ", (f"{name:<10}", style), f" │ {length:>4} │ ", (f"{text:<{width}}", style), " │")
        self.line(f"   └{'─' * 12}┴{'─' * 6}┴{'─' * (width + 2)}┘")

    def check(self, passed: bool, what: str, detail: str, width: int = 34) -> None:
        """One verdict line."""
        self.passed += passed
        self.failed += not passed
        mark = ("   ok    ", "bold green") if passed else ("   FAIL  ", "bold red")
        self.line(mark, f"{what:<{width}}  ", (detail, "dim" if passed else "red"))

    def counters(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Counters that are not zero, with what each means."""
        for row in rows:
            amount = f"{row['packets']:>7} packets {filesize.decimal(int(str(row['bytes']))):>9}  "
            self.line(f"   {row['name']:<22}", amount, (f"{row['text']}", "dim"))

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Something slow: a spinner on a terminal, nothing elsewhere."""
        if self.console.is_terminal:
            with self.console.status(what):
                yield
        else:
            yield

    def verdict(self) -> bool:
        seconds = time.monotonic() - self.started
        good = self.failed == 0 and self.passed > 0
        self.line()
        words = (
            f"{self.passed} checks passed" if good else f"{self.failed} of {self.passed + self.failed} checks FAILED"
        )
        self.line((words, "bold green" if good else "bold red"), f" in {seconds:.1f} s. Everything was cleaned up.")
        return good


def _hex(data: bytes) -> str:
    return data.hex(" ")
