"""One boot of a kernel: QEMU in software emulation, a command inside, its files as the result."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import initramfs
from .images import Image

SHARED = "/run/vm"  # where the guest sees the folder that it shares with the host
MEMORY_MB = 1024
_running: set[subprocess.Popen[bytes]] = set()


@dataclass(frozen=True)
class Ended:
    """How a boot ended. `finished` means that the guest's command ran to its end, with `code`."""

    finished: bool
    code: int
    seconds: float
    log: Path

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def command_line(image: Image, shared: Path, log: Path) -> list[str]:
    """QEMU's arguments. TCG only: hardware acceleration is not to be relied on where tests run."""
    share = "local,security_model=none,multidevs=remap"
    return [
        *("setpriv", "--pdeathsig", "KILL", "--"),  # however this runner ends, no VM outlives it
        *("qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", str(MEMORY_MB)),
        *("-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{log}"),
        *("-kernel", str(image.vmlinuz), "-initrd", str(shared / "initramfs")),
        *("-append", "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off audit=0 random.trust_cpu=on"),
        *("-fsdev", f"{share},id=machine,path=/,readonly=on"),
        *("-device", "virtio-9p-pci,fsdev=machine,mount_tag=machine"),
        *("-fsdev", f"{share},id=results,path={shared}"),
        *("-device", "virtio-9p-pci,fsdev=results,mount_tag=results"),
        *("-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"),
    ]


def boot(
    image: Image, command: Sequence[str], folder: Path, shared: Path, environment: Mapping[str, str], limit: float
) -> Ended:
    """Boot `image`, run `command` in `folder` as root of a guest that sees this machine's files, and wait for it.

    `shared` is the one folder that both sides write; the guest finds it at `SHARED`.
    """
    log = shared / "console.log"
    code = shared / "exit-code"
    code.unlink(missing_ok=True)
    initramfs.build(image, shared / "initramfs")
    (shared / "command.sh").write_text(_script(image, command, folder, environment))
    started = time.monotonic()
    with subprocess.Popen(
        command_line(image, shared, log), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as qemu:
        _running.add(qemu)
        try:
            said, _ = qemu.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            qemu.kill()
            said = f"no end within {limit:.0f} s; the VM was stopped\n".encode()
        finally:
            _running.discard(qemu)
    with log.open("ab") as console:
        console.write(said)
    seconds = time.monotonic() - started
    if code.exists() and (text := code.read_text().strip()):
        return Ended(True, int(text), seconds, log)
    return Ended(False, -1, seconds, log)


def stop_all() -> None:
    """End every VM at once; the threads that wait for them go on."""
    for qemu in list(_running):
        qemu.kill()


def _script(image: Image, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """What the guest's shell runs: modules in place, the command, and the end of the VM."""
    modules = f"/lib/modules/{image.release}"
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items())
    return f"""\
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
{exports}
mkdir -p {modules}
mount --bind {shlex.quote(str(image.modules))} {modules}
ip link set lo up
cd {shlex.quote(str(folder))}
{shlex.join(command)} > {SHARED}/output.log 2>&1
echo $? > {SHARED}/exit-code
sync
echo b > /proc/sysrq-trigger
sleep 60
"""
