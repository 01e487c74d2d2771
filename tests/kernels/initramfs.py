"""The small initramfs that mounts this machine's root inside the VM: busybox, a few modules and `init.sh`."""

from __future__ import annotations

import lzma
import re
import shutil
import zlib
from pathlib import Path

from .images import Image
from .tools import MachineError

INIT = Path(__file__).with_name("init.sh")
# What stands between a bare kernel and a 9p share under an overlay. Built-in ones are skipped.
WANTED = ("virtio_pci", "9pnet_virtio", "9p", "overlay")


def build(image: Image, target: Path) -> None:
    """Write the initramfs of an image."""
    busybox = shutil.which("busybox")
    if not busybox:
        raise MachineError("busybox is missing: apt-get update && apt-get install busybox-static")
    archive = _Cpio()
    for folder in ("bin", "dev", "proc", "sys", "lower", "over", "root", "modules"):
        archive.add(folder, 0o040755)
    archive.add("dev/console", 0o020600, device=(5, 1))  # init's output is the serial console
    archive.add("bin/busybox", 0o100755, Path(busybox).read_bytes())
    archive.add("init", 0o100755, INIT.read_bytes())
    order = load_order(image)
    for position, module in enumerate(order):
        # Numbered, so that the shell's glob gives them in the order in which they are inserted.
        archive.add(f"modules/{position:02}-{_name(module)}.ko", 0o100644, _decompressed(image.modules / module))
    target.write_bytes(archive.finished())


def load_order(image: Image) -> list[str]:
    """The files of the wanted modules and all that they need, dependencies first."""
    needs: dict[str, list[str]] = {}
    files: dict[str, str] = {}
    for line in (image.modules / "modules.dep").read_text().splitlines():
        file, _, dependencies = line.partition(":")
        files[_name(file)] = file
        needs[file] = dependencies.split()
    builtin = {_name(line) for line in (image.modules / "modules.builtin").read_text().splitlines()}
    order: list[str] = []
    for wanted in WANTED:
        if _name(wanted) in builtin:
            continue
        if _name(wanted) not in files:
            raise MachineError(f"Linux {image.release} has no module {wanted}, so it cannot boot from a share")
        file = files[_name(wanted)]
        # depmod lists dependencies nearest first; the deepest must be inserted first.
        order += [f for f in [*reversed(needs[file]), file] if f not in order]
    return order


def _name(file: str) -> str:
    return re.sub(r"\.ko(\.\w+)?$", "", file.rsplit("/", 1)[-1]).replace("-", "_")


def _decompressed(module: Path) -> bytes:
    """busybox inserts plain modules only."""
    data = module.read_bytes()
    if module.suffix == ".xz":
        return lzma.decompress(data)
    if module.suffix == ".gz":
        return zlib.decompress(data, wbits=31)
    if module.suffix != ".ko":
        raise MachineError(f"{module.name}: cannot decompress {module.suffix} modules")
    return data


class _Cpio:
    """The "newc" cpio format, which is all that the kernel reads; numbers are eight hex digits."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._inode = 0

    def add(self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(encoded), 0)
        self._data += b"070701" + b"".join(b"%08X" % f for f in fields) + encoded
        self._pad()
        self._data += content
        self._pad()

    def _pad(self) -> None:
        self._data += bytes(-len(self._data) % 4)

    def finished(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return bytes(self._data)
