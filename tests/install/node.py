"""A node: `encapctl` alone in a bare environment, without anything that compiles, runs a bundle made elsewhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .steps import Environment, InstallError, run

MOST_BYTES = 16 << 20  # with all dependencies, without pip; it was 10 MiB, most of it pyroute2 and PyYAML
ABSENT = ("ziglang*", "jinja2*", "clang_format*", "jsonschema*")  # what compiling needs, and a node does not

# Imports every module of the package, so that one which needs another distribution fails.
IMPORT_ALL = """
import importlib, pkgutil, encap_compile
names = [m.name for m in pkgutil.walk_packages(encap_compile.__path__, "encap_compile.")]
for name in names:
    importlib.import_module(name)
print(*names)
"""
# In a network namespace of its own; pins go by the namespace, and `remove` takes them away.
LIFE = """
ip link add up0 type veth peer name far0
ip address add 192.0.2.1/24 dev up0
ip link set up0 up
ip link set far0 up
"$1" apply mine --set uplink=up0
"$1" status mine
"$1" remove mine
"$2" -c "$3"
"""
# The same from Python: what runs is there, and what compiles says where it is.
FROM_PYTHON = """
from encap_compile import api
options = api.Options(settings={"uplink": "up0"})
print(api.apply("mine", options).name, api.status("mine").up, api.remove("mine").maps > 0)
try:
    api.compile
except ImportError as error:
    print(error)
"""
SAID = "mine True True\n`compile` is of the distribution encap-compile, and encapctl alone is here\n"


def use(environment: Environment, bundle: Path, folder: Path) -> str:
    """What was found, in words. Raises `InstallError` where something that compiles is installed, or nothing runs."""
    folder.mkdir()
    packages = next((environment.folder / "lib").glob("python3*/site-packages"))
    found = [path.name for pattern in ABSENT for path in packages.glob(pattern)]
    if found:
        raise InstallError(f"a node got {', '.join(found)}")
    modules = run(environment.program("python"), "-c", IMPORT_ALL, folder=folder).split()
    if not modules or any(".frontend" in name or ".render" in name for name in modules):
        raise InstallError(f"these modules came with encapctl: {modules}")
    size = _bytes_below(packages, but=("pip", "setuptools", "pkg_resources", "_distutils_hack"))
    if size > MOST_BYTES:
        raise InstallError(
            f"encapctl and what it depends on take {size / 2**20:.1f} MiB; {MOST_BYTES >> 20} are the most"
        )
    shutil.copytree(bundle, folder / "mine")
    privileged = ("unshare", "--net") if os.geteuid() == 0 else ("sudo", "-n", "unshare", "--net")
    said = run(
        *privileged, "env", f"ENCAP_STATE={folder}/state", f"ENCAP_KEPT={folder}/kept",
        "bash", "-ec", LIFE, "bash", environment.program("encapctl"), environment.program("python"), FROM_PYTHON,
        folder=folder,
    )  # fmt: skip
    if not said.endswith(SAID):
        raise InstallError(f"the API of a node said:\n{said}")
    if "mine" not in said:
        raise InstallError(f"encapctl did not say what it applied:\n{said}")
    return f"{size / 2**20:.1f} MiB with its dependencies, {len(modules)} modules"


def _bytes_below(folder: Path, but: tuple[str, ...]) -> int:
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0].split("-")[0] not in but
    )
