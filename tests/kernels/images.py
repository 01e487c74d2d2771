"""Unpacked kernels in the cache: the image to boot and its modules, keyed by the package version."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from . import archive
from .tools import MachineError, run

SERIES = ("5.10", "6.1", "6.12", "newest")
REPOSITORY = Path(__file__).resolve().parents[2]


def cache_folder() -> Path:
    """Where kernels are kept between runs; ENCAP_CACHE moves it."""
    return Path(os.environ.get("ENCAP_CACHE", REPOSITORY / ".cache")).resolve() / "kernels"


@dataclass(frozen=True)
class Image:
    """A kernel ready to boot. `release` is what `uname -r` says, `version` the distribution's package version."""

    series: str
    version: str
    release: str
    folder: Path

    @property
    def vmlinuz(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def modules(self) -> Path:
        """What belongs at /lib/modules/RELEASE."""
        return self.folder / "modules" / self.release


def images(wanted: Sequence[str], refresh: bool) -> dict[str, Image | str]:
    """An image for each wanted series, or why there is none. Without `refresh` what the cache has is taken."""
    if platform.machine() != "x86_64":
        return {s: f"the runner boots amd64 kernels only; this machine is {platform.machine()}" for s in wanted}
    found: dict[str, Image | str] = {}
    if not refresh:
        found = {series: image for series in wanted if (image := _chosen_before(series))}
    missing = [series for series in wanted if series not in found]
    if missing:
        found.update(_fetch(missing))
    return {series: found[series] for series in wanted}


def _fetch(wanted: Sequence[str]) -> dict[str, Image | str]:
    found: dict[str, Image | str] = {}
    try:
        with archive.private_apt() as environment:
            versions = archive.available(environment)
            for series in wanted:
                try:
                    kernel = archive.choose(series, versions, environment)
                    found[series] = _unpacked(kernel, environment)
                except MachineError as why:
                    found[series] = str(why)
    except MachineError as why:
        found.update({series: str(why) for series in wanted if series not in found})
    return found


def _record(series: str) -> Path:
    """The file that says which version was last chosen for a series."""
    return cache_folder() / f"{series}.json"


def _chosen_before(series: str) -> Image | None:
    try:
        record = json.loads(_record(series).read_text())
        image = Image(series, record["version"], record["release"], Path(record["folder"]))
    except (OSError, ValueError, KeyError):
        return None
    return image if image.vmlinuz.exists() and image.modules.is_dir() else None


def _unpacked(kernel: archive.Kernel, environment: dict[str, str]) -> Image:
    folder = cache_folder() / kernel.key
    if not (folder / "vmlinuz").exists():
        downloads = cache_folder() / f"{kernel.key}.packages"
        packages = archive.download(kernel, downloads, environment)
        # Another run never sees a half unpacked kernel: the folder gets its name when it is whole.
        unfinished = cache_folder() / f"{kernel.key}.{os.getpid()}"
        _unpack(packages, unfinished)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
        shutil.rmtree(downloads)
    (release,) = (entry.name for entry in (folder / "modules").iterdir())
    image = Image(kernel.series, kernel.version, release, folder)
    record = {**asdict(image), "folder": str(folder)}
    _record(kernel.series).write_text(json.dumps(record, indent=1) + "\n")
    return image


def _unpack(packages: Sequence[Path], folder: Path) -> None:
    """Keep the kernel and its modules in one shape, wherever a release's packages put them."""
    tree = folder / "tree"
    tree.mkdir(parents=True, exist_ok=True)
    for package in packages:
        run(["dpkg-deb", "-x", str(package), str(tree)])
    roots = [p for p in (tree / "usr/lib/modules", tree / "lib/modules") if p.is_dir()]
    (modules,) = (entry for root in roots for entry in root.iterdir())
    kernels = [*tree.glob("boot/vmlinuz-*"), *modules.glob("vmlinuz")]
    if not kernels:
        raise MachineError(f"no vmlinuz in {', '.join(p.name for p in packages)}")
    target = folder / "lib/modules" / modules.name
    target.parent.mkdir(parents=True)
    modules.rename(target)
    run(["depmod", "-b", str(folder), modules.name])
    (folder / "lib/modules").rename(folder / "modules")
    (folder / "lib").rmdir()
    kernels = [*tree.glob("boot/vmlinuz-*"), *(folder / "modules" / modules.name).glob("vmlinuz")]
    kernels[0].rename(folder / "vmlinuz")
    shutil.rmtree(tree)
