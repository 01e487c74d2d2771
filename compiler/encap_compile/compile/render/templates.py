"""Fills the templates. They read the program and decide nothing."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .. import ir
from ..shipped import SHIPPED
from .compiled_templates import beside_the_code
from .line_length import wrap_comments
from .template_filters import FILTERS
from .wire import NAME as WIRE
from .wire import wire_header

TEMPLATES = SHIPPED / "templates" / "bpf"
CONTRACT_TEMPLATES = SHIPPED / "templates" / "contract"
_INCLUDE = re.compile(r'^#include "([a-z0-9_]+\.h)"$', re.MULTILINE)


@cache
def _environment(folder: Path) -> Environment:
    found = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        bytecode_cache=beside_the_code(),
        autoescape=False,
    )
    found.filters.update(FILTERS)
    return found


def render(program: ir.Program) -> str:
    """The C of a program, before it is formatted."""
    return wrap_comments(_environment(TEMPLATES).get_template("program.bpf.c.j2").render(p=program))


def render_contract(contract: ir.SocketContract) -> dict[str, str]:
    """What applications are given, by file name: the header, before it is formatted, and the Python module."""
    environment = _environment(CONTRACT_TEMPLATES)
    return {
        f"{contract.name}.h": wrap_comments(environment.get_template("socket.h.j2").render(c=contract)),
        f"{contract.c_name}.py": environment.get_template("socket.py.j2").render(c=contract),
    }


def _library(name: str) -> str:
    return (TEMPLATES / "include" / name).read_text(encoding="utf-8")


def included(text: str) -> dict[str, str]:
    """The library's headers that a C text includes, and those that they include, by name."""
    found: dict[str, str] = {}
    waiting = _INCLUDE.findall(text)
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = wire_header() if name == WIRE else _library(name)
            waiting += _INCLUDE.findall(found[name])
    return found
