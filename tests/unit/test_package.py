"""What is packed and declared: every file of the product once, and every dependency because the product imports it."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections import Counter
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

from encap_compile.compile import artifacts

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "compiler" / "encap_compile"


NODE = ROOT / "packaging" / "encapctl"


def build(folder: Path, target: str, project: Path = ROOT) -> Path:
    """A wheel or sdist of a distribution. A file that is packed twice is a warning of zipfile, here an error."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder), "-t", target]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.iterdir()
    return made


def tracked(*folders: str) -> set[str]:
    """Files that git knows of, or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name for name in listed.split("\0") if name and (ROOT / name).exists()}


def test_the_wheels_have_every_file_once(tmp_path: Path) -> None:
    """Together they are the package, and no file is in both."""
    names: Counter[str] = Counter()
    contents: dict[str, bytes] = {}
    for project in (ROOT, NODE):
        with zipfile.ZipFile(build(tmp_path / project.name, "wheel", project)) as wheel:
            packed = [name for name in wheel.namelist() if ".dist-info/" not in name]
            names.update(packed)
            contents |= {name: wheel.read(name) for name in packed}
    assert [name for name, times in names.items() if times > 1] == []
    expected = {name.removeprefix("compiler/") for name in tracked("compiler")}
    expected |= {f"encap_compile/_data/{name}" for name in tracked("templates", "schemas")}
    assert set(names) == expected
    for name in expected:
        where = name.removeprefix("encap_compile/_data/") if "/_data/" in name else f"compiler/{name}"
        assert contents[name] == (ROOT / where).read_bytes(), name


def test_sdist_has_what_a_wheel_is_built_from(tmp_path: Path) -> None:
    with tarfile.open(build(tmp_path, "sdist")) as sdist:
        members = Counter(member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile())
        assert [name for name, times in members.items() if times > 1] == []
        assert not [member.name for member in sdist.getmembers() if not member.isfile()]
    needed = tracked("compiler", "templates", "schemas", "examples", "LICENSES") | {"pyproject.toml", "README.md"}
    assert needed - set(members) == set()
    assert not [name for name in members if re.search(r"__pycache__|\.o$|^\.|^build/", name) and name != ".gitignore"]


def imported(folder: Path) -> set[str]:
    """The packages outside the standard library that the code names: imported, or looked for by their name."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found.add(str(node.module).partition(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("find_spec"):
                found |= {str(a.value) for a in node.args if isinstance(a, ast.Constant)}
    return found - set(sys.stdlib_module_names) - {"encap_compile"}


def distribution(name: str) -> str:
    """The name as an index has it, of `click>=8` or `Jinja2`."""
    return re.split(r"[^\w.-]", name)[0].lower().replace("_", "-")


def requirements() -> tuple[set[str], set[str]]:
    """What the compiler's distribution asks for itself, and what the node's does."""
    both = (tomllib.loads((folder / "pyproject.toml").read_text())["project"] for folder in (ROOT, NODE))
    compiler, node = ({distribution(d) for d in project["dependencies"]} for project in both)
    return compiler - {"encapctl"}, node


def test_runtime_dependencies_are_what_the_product_imports() -> None:
    owners = packages_distributions()
    used = {distribution(owner) for module in imported(PACKAGE) for owner in owners.get(module, [module])}
    compiler, node = requirements()
    assert used == compiler | node
    assert compiler & node == set()


@pytest.mark.parametrize("folder", ["demo", "bench", "tests"])
def test_what_tests_and_demo_import_is_declared(folder: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = set.union(*requirements(), {distribution(d) for d in project["optional-dependencies"]["dev"]})
    owners = packages_distributions()
    ours = {"demo", "bench", "tests"}
    used = {distribution(owner) for module in imported(ROOT / folder) - ours for owner in owners.get(module, [])}
    assert used <= declared


def test_the_compiler_is_known_by_its_templates_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A changed template, preset or constant header makes a bundle stale; another place of the same files does not."""
    for name in ("templates", "schemas"):
        shutil.copytree(ROOT / name, tmp_path / name)
    here = artifacts.compiler_inputs.__wrapped__()
    monkeypatch.setattr(artifacts, "SHIPPED", tmp_path)
    assert artifacts.compiler_inputs.__wrapped__() == here
    for name in ("templates/bpf/program.bpf.c.j2", "templates/bpf/include/encap_ecn.h", "schemas/presets/gue-dsr.yaml"):
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text + "\n")
        assert artifacts.compiler_inputs.__wrapped__() != here, name
        (tmp_path / name).write_text(text)


PHASES = ("frontend", "checks", "lower", "description", "render", "toolchain", "artifacts")
# What the phases use to read, to refuse and to write: it changes no byte of what is written.
DECIDES_NOTHING = {
    "__init__.py",  # its version, which stands in the manifest beside the hash
    "common/diagnostics.py",
    "common/folders.py",
    "common/format_version.py",
    "common/manifest_bounds.py",
    "common/regular_file.py",
    "common/structured.py",
    "common/suggest.py",
    "common/system_refusals.py",
    "compile/shipped.py",
    "compile/spec_tests.py",
}


def test_whatever_the_phases_import_is_part_of_what_a_bundle_is_known_by() -> None:
    """A bundle is stale when the code that decides its bytes changed: no folder of it can be forgotten."""
    graph = grimp.build_graph("encap_compile", exclude_type_checking_imports=True)
    used: set[str] = set()
    for phase in PHASES:
        module = f"encap_compile.compile.{phase}"
        used |= {module} | graph.find_upstream_modules(module, as_package=bool(graph.find_children(module)))
    files = {m.removeprefix("encap_compile").lstrip(".").replace(".", "/") for m in used}
    files = {f"{f}.py" if (PACKAGE / f"{f}.py").is_file() else f"{f}/__init__.py".lstrip("/") for f in files}
    assert all((PACKAGE / file).is_file() for file in files)
    known = {*artifacts.GENERATOR_FILES, *artifacts.GENERATOR}
    forgotten = {f for f in files if not any(f == k or f.startswith(f"{k}/") for k in known)}
    assert forgotten == DECIDES_NOTHING
