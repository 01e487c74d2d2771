"""Identifiers that are derived from a spec have the form of their kind, and no other has, whatever is named."""

from __future__ import annotations

import re
import subprocess
from importlib import import_module
from itertools import combinations
from pathlib import Path
from pkgutil import iter_modules

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encap_compile.compile import lower
from encap_compile.compile.identifiers import PREFIXES, SUFFIXES, c_name, member_name
from encap_compile.compile.lower import c_names
from encap_compile.compile.pipeline import check_spec
from encap_compile.compile.render.templates import included, render
from encap_compile.compile.toolchain.clang import FLAGS, find_clang

ROOT = Path(__file__).parents[2]
SPECS = sorted([*(ROOT / "examples").glob("*.yaml"), *(ROOT / "tests" / "cases" / "ok").glob("*.yaml")])
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"[^"\n]*"|#include[^\n]*', re.DOTALL)
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,31}", fullmatch=True)
MARK = "zqz"  # stands in every name, and so in everything that is derived from one
NAMING = [import_module(f"{lower.__name__}.{m.name}") for m in iter_modules(lower.__path__)]


def identifiers(text: str) -> set[str]:
    return set(IDENTIFIER.findall(NOT_CODE.sub(" ", text)))


def is_derived(identifier: str) -> bool:
    return identifier.startswith(PREFIXES) or identifier.endswith(SUFFIXES)


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_derived_and_constant_identifiers_are_told_apart_by_their_form(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = c_names.identifier
    for module in NAMING:
        for function, marked in (
            ("c_name", lambda name: name if name.startswith(MARK) else MARK + c_name(name)),
            ("identifier", lambda name: MARK.upper() + usual(name)),
        ):
            if hasattr(module, function):
                monkeypatch.setattr(module, function, marked)
    program = check_spec(str(path))[1].program
    text = render(program)
    found = identifiers(text).union(*(identifiers(header) for header in included(text).values()))
    derived = {i for i in found if MARK in i.lower()}
    assert len(derived) > 1
    # Derived from a place, or from a word of the language: what the mark is not in.
    unmarked = re.compile(r"received_\w+|CGROUP_BIT_ATTACHED|((in|prefix_of)_)?list_\w+")
    constant = {i for i in found - derived if not unmarked.fullmatch(i)}
    assert {i for i in derived if not is_derived(i)} == set()
    assert {i for i in constant if is_derived(i)} == set()


def test_nothing_of_clang_has_the_form_of_a_kind() -> None:
    """Its predefined macros: what it declares by itself begins with `__`."""
    command = [*find_clang().command, *FLAGS, "-dM", "-E", "-x", "c", "/dev/null"]
    macros = re.findall(r"#define (\w+)", subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert len(macros) > 100 and not [m for m in macros if is_derived(m)]


def test_no_form_is_anothers() -> None:
    pairs = combinations(PREFIXES, 2)
    assert not [(a, b) for a, b in pairs if a.startswith(b) or b.startswith(a)]
    assert not [p for p in PREFIXES if "__" in p]


@given(NAMES, NAMES)
def test_names_derive_injectively(one: str, other: str) -> None:
    """But for `-` and `_`, which E309 tells apart."""
    assert (c_name(one) == c_name(other)) == (member_name(one) == member_name(other))


@given(NAMES)
def test_what_joins_names_is_in_none(name: str) -> None:
    found = c_name(name)
    assert re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]|[a-z]", found) and "__" not in found
    assert c_name(found) == found
