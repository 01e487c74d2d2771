"""Which files of the package `encap_compile` belong to the distribution `encapctl`.

They lie beside those of the compiler in a checkout, and in this folder in an sdist.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "encap_compile"


def compiler_only(root: Path) -> frozenset[str]:
    """What the other distribution installs, relative to `compiler/`, by its own pyproject.toml."""
    wheel = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    return frozenset(name.removeprefix("compiler/") for name in wheel["only-include"])


def node_files(root: Path) -> dict[Path, str]:
    """The files of a checkout that are not the compiler's, each with its place in a wheel."""
    compiler = root / "compiler"
    apart = compiler_only(root)
    files = (p for p in sorted((compiler / PACKAGE).rglob("*")) if p.is_file() and "__pycache__" not in p.parts)
    names = {path: str(path.relative_to(compiler)) for path in files}
    return {path: name for path, name in names.items() if not _below(name, apart)}


def _below(name: str, places: frozenset[str]) -> bool:
    return any(name == place or name.startswith(f"{place}/") for place in places)


class NodeFiles(BuildHookInterface):  # type: ignore[type-arg,misc]
    """Adds them to what is built; an editable install has the whole checkout instead."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        here = Path(self.root)
        if version == "editable":
            return
        if (here / PACKAGE).is_dir():
            build_data["force_include"][str(here / PACKAGE)] = PACKAGE
        else:
            build_data["force_include"] |= {str(path): name for path, name in node_files(here.parents[1]).items()}
