"""Which clang builds, and how, so that the same C gives the same bytes everywhere.

The default is the clang in the pinned `ziglang` wheel: the default -mcpu and the code that the verifier checks change
between releases of clang, so whatever happens to be installed will not do.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ...common.diagnostics import DiagnosedError, Diagnostic, Exit

ENVIRONMENT = "ENCAP_CLANG"
OLDEST = 14  # older ones lower the C to code that current verifiers refuse, or lack -mcpu=v3
FLAGS = (
    "-target",
    "bpfel",
    "-mcpu=v3",  # 5.1; a fixed level, because the default differs between releases
    "-O2",
    "-g",  # BTF: map types for libbpf, and C lines in the verifier's log
    "-std=gnu11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fno-jump-tables",  # they would need relocations that libbpf refuses
    "-fno-ident",
    "-fdebug-compilation-dir=.",
)


class Clang(NamedTuple):
    """A clang to run: `command` and what the manifest says about it. `source` is pinned or chosen."""

    command: tuple[str, ...]
    source: str
    name: str  # for messages


def find_clang(chosen: str = "") -> Clang:
    """`chosen` (--clang), else $ENCAP_CLANG, else the pinned one. Raises DiagnosedError T101."""
    named = chosen or os.environ.get(ENVIRONMENT, "")
    if named:
        return Clang((named,), "chosen", named)
    spec = find_spec("ziglang")
    zig = Path(spec.submodule_search_locations[0]) / "zig" if spec and spec.submodule_search_locations else None
    if zig is None or not zig.exists():
        raise clang_error(
            "T101",
            "the pinned clang is not installed",
            f"install the wheel `ziglang` (it comes with encap-compile), or name a clang {OLDEST} or newer with "
            f"--clang or {ENVIRONMENT}",
        )
    return Clang((str(zig), "clang"), "pinned", "the pinned clang")


def clang_error(code: str, message: str, help: str) -> DiagnosedError:
    return DiagnosedError([Diagnostic(code, message, help=help)], Exit.TOOLCHAIN)
