"""`encapctl` in a process of its own, without paying for Python's imports each time.

Importing the loader takes ten seconds in an emulated machine. This process imports once what any call needed; each
call is a fork that runs the command's own `main` with its own arguments, output and exit code, inside a namespace.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from .namespaces import inside


@dataclass(frozen=True)
class Ran:
    """How a call ended: the exit code and everything that it printed."""

    arguments: tuple[str, ...]
    code: int
    output: str

    def __str__(self) -> str:
        return f"encapctl {' '.join(self.arguments)}: exit code {self.code}: {self.output.strip()[-1500:]}"


def encapctl(namespace: str, *arguments: str) -> Ran:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as imported:
        with inside(namespace):
            sys.stdout.flush()
            sys.stderr.flush()
            child = os.fork()
            if not child:
                _child(arguments, output, imported)
            _, status = os.waitpid(child, 0)
        output.seek(0)
        imported.seek(0)
        for name in imported.read().decode().split():
            with contextlib.suppress(ImportError):  # it is only for speed; the child imports what it needs
                importlib.import_module(name)
        return Ran(arguments, os.waitstatus_to_exitcode(status), output.read().decode(errors="replace"))


def _child(arguments: Sequence[str], output: IO[bytes], imported: IO[bytes]) -> None:
    before = set(sys.modules)
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    code = _main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    imported.write("\n".join(name for name in sys.modules if name not in before).encode())
    imported.flush()
    os._exit(code)


def _main(arguments: Sequence[str]) -> int:
    try:
        from encap_compile import ctl

        return ctl.run(arguments)
    except BaseException:  # a traceback of the loader is what the cell is to show
        traceback.print_exc()
        return 70
