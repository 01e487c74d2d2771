"""Two distributions from one checkout: a node's holds no compiler, and each file is in exactly one of them."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import grimp
import pytest

import encap_compile

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / "packaging" / "encapctl"


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """The build hook of the node's distribution, as hatchling imports it."""
    spec = importlib.util.spec_from_file_location("node_build_hook", NODE / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def node_modules(hook: ModuleType) -> set[str]:
    names = (name for name in hook.node_files(ROOT).values() if name.endswith(".py"))
    return {re.sub(r"(/__init__)?\.py$", "", name).replace("/", ".") for name in names}


def test_what_the_compiler_installs_is_there(hook: ModuleType) -> None:
    assert [name for name in hook.compiler_only(ROOT) if not (ROOT / "compiler" / name).exists()] == []


def test_a_node_gets_all_that_it_imports_and_nothing_that_imports_more(node_modules: set[str]) -> None:
    graph = grimp.build_graph("encap_compile", exclude_type_checking_imports=True)
    outside = {
        (importer, imported)
        for importer in node_modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if imported not in node_modules
    }
    assert outside == set()
    assert "encap_compile.ctl" in node_modules
    assert "encap_compile.cli" not in node_modules


def test_a_node_needs_no_compiler() -> None:
    names = {re.split(r"[<>=]", need)[0] for need in project(NODE)["project"]["dependencies"]}
    assert names == {"click", "pyroute2", "pyyaml"}


def test_both_have_one_version_and_the_compiler_needs_just_that_of_the_other() -> None:
    compiler, node = project(ROOT)["project"], project(NODE)["project"]
    assert compiler["version"] == node["version"] == encap_compile.__version__
    assert f"encapctl=={node['version']}" in compiler["dependencies"]


def test_both_carry_the_licence() -> None:
    assert (NODE / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
