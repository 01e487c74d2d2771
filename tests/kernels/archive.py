"""Which kernels the distribution packages, and how to get them: apt with a root of its own.

The machine's own apt says where its archive is; other suites of that archive are read through a private apt
configuration, so that nothing on the machine changes and every package is verified by apt's signed hashes.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from .tools import MachineError, run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
META = "linux-image-amd64"  # every suite's meta package; its dependency names the kernel of that suite
# 5.10 is bullseye's, 6.1 bookworm's, 6.12 trixie's. The rest are searched for the newest.
SUITES = ("bullseye", "bookworm", "bookworm-backports", "trixie", "trixie-backports", "forky", "sid")
SECURITY_SUITES = ("bullseye-security", "bookworm-security", "trixie-security")
# 7.x split the image into a binary, its modules and a base, which lists what is built in.
KERNEL_PACKAGE = re.compile(r"linux-(?:image|binary|modules|base)-\d[\w.+-]*")


@dataclass(frozen=True)
class Kernel:
    """A packaged kernel: `series` as asked for (5.10 or newest), the package version and the packages."""

    series: str
    version: str
    packages: tuple[str, ...]

    @property
    def key(self) -> str:
        """A file name for the cache."""
        return re.sub(r"[^\w.+-]", "_", self.version)


def repositories() -> tuple[str, str]:
    """The URIs of the main and the security archive that this machine's apt uses."""
    found = _debian_uris()
    if "Debian" not in found and os.geteuid() == 0:
        run(["apt-get", "-q", "update"])  # a fresh machine has no index yet, and only the index names the origin
        found = _debian_uris()
    if "Debian" not in found:
        raise MachineError(
            "this machine's apt knows no Debian archive (run apt-get update first?), so Debian's kernels cannot be "
            "fetched: no cell of the matrix can be tested here"
        )
    main = found["Debian"]
    return main, found.get("Debian-Security", main.rstrip("/") + "-security/")


def _debian_uris() -> dict[str, str]:
    form = "$(ORIGIN)|$(LABEL)|$(REPO_URI)"
    lines = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"]).stdout.splitlines()
    return {label: uri for origin, label, uri in (line.split("|") for line in lines) if origin == "Debian"}


@contextmanager
def private_apt() -> Iterator[dict[str, str]]:
    """An environment in which apt reads every suite; gone afterwards."""
    main, security = repositories()
    with TemporaryDirectory(prefix="encap-apt-") as name:
        root = Path(name)
        for folder in ("etc/preferences.d", "etc/sources.list.d", "state/lists/partial", "cache/archives/partial"):
            (root / folder).mkdir(parents=True)
        signed = f"[arch=amd64 signed-by={KEYRING}]" if KEYRING.exists() else "[arch=amd64]"
        sources = [f"deb {signed} {main} {suite} main" for suite in SUITES]
        sources += [f"deb {signed} {security} {suite} main" for suite in SECURITY_SUITES]
        (root / "etc/sources.list").write_text("\n".join(sources) + "\n")
        (root / "apt.conf").write_text(
            f'Dir::Etc "{root}/etc"; Dir::Etc::Parts "/etc/apt/apt.conf.d"; Dir::State "{root}/state";\n'
            f'Dir::Cache "{root}/cache"; Dir::State::status "/dev/null"; APT::Architecture "amd64";\n'
            'APT::Architectures { "amd64"; }; APT::Sandbox::User "root"; Acquire::Languages "none";\n'
            # The index of a suite that is no longer updated expires; its signature still holds.
            'Acquire::Check-Valid-Until "false"; Acquire::Retries "3"; APT::Update::Post-Invoke-Success "";\n'
        )
        environment = {**os.environ, "APT_CONFIG": str(root / "apt.conf"), "LC_ALL": "C"}
        # A suite that is not there (too old, too new) fails alone; `available` sees what the others have.
        subprocess.run(["apt-get", "-q", "update"], env=environment, capture_output=True, check=False)
        yield environment


def available(environment: dict[str, str]) -> list[str]:
    """The versions of the meta package over all suites, newest first."""
    lines = run(["apt-cache", "madison", META], env=environment).stdout.splitlines()
    versions = [line.split("|")[1].strip() for line in lines]
    if not versions:
        raise MachineError("the Debian archive that this machine uses lists no kernel: is the network there?")
    return versions  # madison lists by version, newest first


def choose(series: str, versions: list[str], environment: dict[str, str]) -> Kernel:
    """The newest packaged kernel of a series; "newest" is the newest of all."""
    fitting = [v for v in versions if series == "newest" or v.startswith(series + ".")]
    if not fitting:
        raise MachineError(f"no suite of the Debian archive that this machine uses packages Linux {series}")
    packages = _closure(f"{META}={fitting[0]}", environment)
    return Kernel(series, fitting[0], tuple(packages))


def _closure(meta: str, environment: dict[str, str]) -> list[str]:
    """NAME=VERSION of the packages behind a meta package that hold the kernel and its modules."""
    version = meta.split("=")[1]
    found: list[str] = []
    waiting = [meta]
    while waiting:
        record = run(["apt-cache", "show", "--no-all-versions", waiting.pop()], env=environment).stdout
        depends = "".join(re.findall(r"^(?:Pre-)?Depends: (.*)$", record, re.M))
        for name in KERNEL_PACKAGE.findall(depends):
            package = f"{name}={version}"
            if package not in found:
                found.append(package)
                waiting.append(package)
    if not found:
        raise MachineError(f"{meta} depends on no kernel package that this runner knows")
    return found


def download(kernel: Kernel, folder: Path, environment: dict[str, str]) -> list[Path]:
    """Fetch the packages of a kernel; apt resumes a broken download and checks the hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    run(["apt-get", "-q", "download", *kernel.packages], env=environment, cwd=folder)
    return sorted(folder.glob("*.deb"))
