"""Starting a tool and not waiting for it: what the compiler still has to do is done meanwhile."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from tempfile import TemporaryFile
from types import TracebackType
from typing import NamedTuple, Self

from ...common.diagnostics import DiagnosedError, Exit
from ...common.system_refusals import EXHAUSTED, refusal


class Done(NamedTuple):
    """What a tool left behind."""

    returncode: int
    stdout: bytes
    stderr: bytes


# Variables that change what clang says, or lead it to headers, options and programs of the machine.
_HIDDEN = (
    "LC_",
    "LANG",
    "CPATH",
    "C_INCLUDE",
    "CPLUS_INCLUDE",
    "OBJC",
    "LIBRARY_PATH",
    "COMPILER_PATH",
    "CCC_",
    "GCC_",
)


def environment() -> dict[str, str]:
    """This process's variables, without those that would make the same C into another object."""
    return {k: v for k, v in os.environ.items() if not k.startswith(_HIDDEN)} | {"LC_ALL": "C"}


class Process:
    """A tool at work, in the C locale and without the variables that lead clang elsewhere.

    Raises OSError if it cannot be started, DiagnosedError (H114) for want of descriptors, processes or memory:
    then the tool is not at fault. It is stopped when the `with` is left before `done`.
    """

    def __init__(self, command: Sequence[str], stdin: bytes = b"", folder: str | None = None) -> None:
        try:
            self._start(command, stdin, folder)
        except OSError as error:
            if error.errno in EXHAUSTED:
                raise DiagnosedError([refusal(error)], Exit.MACHINE) from None
            raise

    def _start(self, command: Sequence[str], stdin: bytes, folder: str | None) -> None:
        with TemporaryFile() as file:  # not a pipe: nobody is there to write into it
            file.write(stdin)
            file.seek(0)
            self._popen = subprocess.Popen(
                command,
                cwd=folder,
                env=environment(),
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )

    def done(self) -> Done:
        """Wait for its end."""
        stdout, stderr = self._popen.communicate()
        return Done(self._popen.returncode, stdout, stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._popen.poll() is None:
            self._popen.kill()
        self._popen.__exit__(kind, error, at)
