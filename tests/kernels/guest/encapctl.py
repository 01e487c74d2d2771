"""`encapctl` in a process of its own, without paying for Python's imports each time.

Importing the loader takes ten seconds in an emulated machine. It is imported once; each call is a fork that runs the
command's own `main` with its own arguments, output and exit code, inside a namespace.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from .namespaces import inside

LOADER = ("apply", "plan", "status", "remove", "kernel", "loader", "views", "machine", "manifest_io")


@dataclass(frozen=True)
class Ran:
    """How a call ended: the exit code and everything that it printed."""

    arguments: tuple[str, ...]
    code: int
    output: str

    def __str__(self) -> str:
        return f"encapctl {' '.join(self.arguments)}: exit code {self.code}: {self.output.strip()[-1500:]}"


@cache
def _preload() -> None:
    """Import what the loader imports when it needs it, before the fork, so that every child has it."""
    import encap_compile
    from encap_compile import ctl  # noqa: F401

    for module in pkgutil.walk_packages(encap_compile.__path__, "encap_compile."):
        if module.name.split(".")[1] in LOADER:
            importlib.import_module(module.name)


def encapctl(namespace: str, *arguments: str) -> Ran:
    _preload()
    with tempfile.TemporaryFile() as output, inside(namespace):
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if not child:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            os._exit(_main(arguments))
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return Ran(arguments, os.waitstatus_to_exitcode(status), output.read().decode(errors="replace"))


def _main(arguments: Sequence[str]) -> int:
    from encap_compile import ctl

    sys.argv = ["encapctl", *arguments]
    code: object = 0
    try:
        code = ctl.main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # a traceback of the loader is what the cell is to show
        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)
