"""Fills the templates. They read the program and decide nothing."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .. import ir
from .filters import FILTERS

TEMPLATES = Path(__file__).parent.parent / "_data" / "templates" / "bpf"


@cache
def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - this is C, and every name has been checked to be an identifier
    )
    found.filters.update(FILTERS)
    return found


def render(program: ir.Program) -> str:
    """The C of a program, before it is formatted."""
    return _environment().get_template("program.bpf.c.j2").render(p=program)


def include_text(name: str) -> str:
    """One of the constant headers that the C includes."""
    return (TEMPLATES / "include" / name).read_text(encoding="utf-8")
