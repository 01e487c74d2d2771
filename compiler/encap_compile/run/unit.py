"""A systemd unit that applies a bundle from its copy on disk before the network comes up (man 5 systemd.service)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..common.folders import PUBLIC, PUBLIC_FILE, make_folders, write_file
from ..common.record import Record
from .loader import kept
from .loader.desired import Request, open_ready, paths_of, prepare
from .loader.kept_folder import folder
from .loader.observe import observe

FOLDER = Path("/etc/systemd/system")
_PASSED_ON = ("ENCAP_ATTACH", "ENCAP_BPFFS", "ENCAP_STATE", "ENCAP_KEPT", "ENCAP_JOURNAL", "ENCAP_LIBBPF")
TEXT = """\
# Written by `encapctl unit`: applies {name} from {copy}, without git and without network.
[Unit]
Description=Encapsulation {name}
# Before any network manager, which waits for network-pre.target.
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=local-fs.target sys-fs-bpf.mount systemd-sysctl.service
Conflicts=shutdown.target
RequiresMountsFor={copy}
StartLimitIntervalSec=0

[Service]
# Ready after the first apply, or as soon as it waits for a device or an address: these come with the network.
Type=notify
NotifyAccess=main
{environment}ExecStart={command} watch {name} --kept{once}
{lasting}RestartSec=2
TimeoutStartSec=60

[Install]
WantedBy=multi-user.target
"""
_STAYS = "Restart=always\n"
_ENDS = "RemainAfterExit=yes\nRestart=on-failure\n"


class Unit(Record):
    """The unit's text, and where it and the copy were written; None if nothing was."""

    name: str
    text: str
    file: Path | None = None
    copy: Path | None = None


def make_unit(request: Request, stays: bool, into: Path, write: bool) -> Unit:
    """Check that the bundle can be applied here, write the copy and the unit. Raises DiagnosedError, OSError."""
    bundle = open_ready(request)
    desired = prepare(request, bundle, observe(paths_of(request, bundle)))
    name = bundle.manifest.name
    text = unit_text(name, stays)
    if not write:
        return Unit(name, text)
    file = into / f"encap-{name}.service"
    copy = kept.keep(desired, request, str(file.absolute()))
    kept.check_kept(name)
    make_folders(into, PUBLIC)
    write_file(file, text.encode(), PUBLIC_FILE)
    return Unit(name, text, file, copy)


def unit_text(name: str, stays: bool) -> str:
    """The unit; with `stays`, watch stays and follows the machine, else it ends when the bundle is applied."""
    given = ((key, os.environ[key]) for key in _PASSED_ON if os.environ.get(key))
    return TEXT.format(
        name=name,
        copy=_quoted(str(folder(name).absolute())),
        environment="".join(f"Environment={_quoted(f'{key}={value}')}\n" for key, value in given),
        command=" ".join(_quoted(word.replace("$", "$$")) for word in _command()),
        once="" if stays else " --once",
        lasting=_STAYS if stays else _ENDS,
    )


def _command() -> list[str]:
    """How this program is called, by absolute paths."""
    here = Path(sys.argv[0])
    if here.name == "encapctl" and here.exists():
        return [str(here.absolute())]
    return [sys.executable, "-m", "encap_compile.ctl"]


def _quoted(word: str) -> str:
    """As systemd reads it: specifiers and quotes are taken literally."""
    plain = word.replace("%", "%%")
    if all(c.isalnum() or c in "/._-=%$:+@," for c in plain):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
