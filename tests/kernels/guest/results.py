"""The results file: one JSON line a cell, written at once, so that a guest that dies has still told what it knew."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from ..cells import Cell
from .namespaces import CommandError
from .traffic import FailedError


class Results:
    def __init__(self, file: Path) -> None:
        self._file = file.open("a", buffering=1)

    def check(self, cell: Cell, action: Callable[[], object]) -> bool:
        """Run one check and record how it went; nothing that it raises stops the rest."""
        started = time.monotonic()
        detail = ""
        try:
            action()
        except (FailedError, CommandError, OSError) as why:
            detail = str(why) or type(why).__name__
        except Exception:
            detail = traceback.format_exc()
        self._write(cell, detail, time.monotonic() - started)
        return not detail

    def fail(self, cell: Cell, detail: str) -> None:
        """Record a cell that could not be tried."""
        self._write(cell, detail, 0.0)

    def report(self, cell: Cell, detail: str, seconds: float) -> None:
        """Record a check that ran elsewhere; without a detail it passed."""
        self._write(cell, detail, seconds)

    def _write(self, cell: Cell, detail: str, seconds: float) -> None:
        line = {"cell": cell.id, "ok": not detail, "detail": detail, "seconds": round(seconds, 3)}
        self._file.write(json.dumps(line) + "\n")
