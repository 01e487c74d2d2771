"""Standard output that is closed, full, or whose reader has gone: said on standard error, and in the exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

from .diagnostics import Exit


class _Output(io.FileIO):
    """Standard output that remembers what went wrong with it: a buffer may forget what it could not write."""

    failure: OSError | None = None

    def write(self, data: object) -> int:
        try:
            return super().write(data) or 0  # type: ignore[arg-type]
        except OSError as error:
            self.failure = error
            raise


class Streams:
    """The standard streams of a process that was just started."""

    def __init__(self) -> None:
        """Lead descriptors that the caller closed to /dev/null, so that no file of ours becomes 0, 1 or 2."""
        self.closed = [number for number in (0, 1, 2) if not _is_open(number)]
        for number in self.closed:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
        if sys.stderr is None:
            sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - for as long as the process lives
        self.output = _Output(1, "w", closefd=False)
        old = sys.stdout
        encoding = old.encoding if old is not None else "utf-8"
        buffer = io.BufferedWriter(self.output)
        # What a Latin-1 or ASCII terminal has no character for becomes an escape, as on standard error.
        sys.stdout = io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=self.output.isatty())

    def run(self, program: str, work: Callable[[Streams], int]) -> int:
        """Run a command line; the exit code, which is 6 in place of 0 and 3 if the result could not be written.

        A reader that has enough (`| head`) is no failure.
        """
        code = work(self)
        gone = type(sys.stdout).__name__ == "PacifyFlushWrapper"  # how click ends with EPIPE, with code 1
        reason = "it is closed" if 1 in self.closed else ""
        if self.failed() and not gone and self.output.failure is not None:
            gone = isinstance(self.output.failure, BrokenPipeError)
            reason = self.output.failure.strerror or str(self.output.failure)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python says it once more when it ends
        if gone:
            return Exit.DONE
        if not reason or code not in (Exit.DONE, Exit.DRIFT):
            return code
        done = "what was asked for is done, only its result is not shown"
        sys.stderr.write(f"{program}: standard output cannot be written: {reason}; {done}\n")
        return Exit.MACHINE

    def failed(self) -> bool:
        """Whether something that was written so far did not arrive."""
        try:
            sys.stdout.flush()
        except OSError as error:
            self.output.failure = error
        return self.output.failure is not None


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
