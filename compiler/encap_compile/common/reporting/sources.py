"""The lines that diagnostics point at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..regular_file import open_regular

# A line is looked up in the first part of a file only: enough for any spec, and for the rows a person would look at.
MOST_BYTES = 64 << 20


class Sources:
    """Lines of files, read on first use; a file that cannot be read has none."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._lines: dict[str, list[str]] = {path: _split(text) for path, text in texts.items()}

    def line(self, path: str, number: int) -> str | None:
        """Line `number`, from 1, without its end; None if there is none."""
        if path not in self._lines:
            self._lines[path] = _split(_read(path))
        lines = self._lines[path]
        return lines[number - 1] if 0 < number <= len(lines) else None


def _read(path: str) -> str:
    try:
        with open_regular(Path(path)) as file:
            return file.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _split(text: str) -> list[str]:
    # Only the line ends that YAML and CSV count: str.splitlines also splits at form feeds and others.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
