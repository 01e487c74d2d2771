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
{environment}ExecStart={command} run {name} --kept{once}
{lasting}RestartSec=2
TimeoutStartSec=60

[Install]
WantedBy=multi-user.target
"""
# What keeps network managers from our device, routes and rule, by its place below /etc (man 5 networkd.conf,
# systemd.network, NetworkManager.conf).
LEAVE_ALONE = {
    "systemd/networkd.conf.d/50-encap-{name}.conf": """\
# Written by `encapctl unit`: the routes and the rule of {name} are not systemd-networkd's.
[Network]
ManageForeignRoutes=no
ManageForeignRoutingPolicyRules=no
""",
    # Before files such as 80-ethernet.network, of which one may match every name.
    "systemd/network/10-encap-{name}.network": """\
# Written by `encapctl unit`: the route device of {name} is not systemd-networkd's.
[Match]
Name={device}

[Link]
Unmanaged=yes
""",
    "NetworkManager/conf.d/50-encap-{name}.conf": """\
# Written by `encapctl unit`: the route device of {name} is not NetworkManager's.
[keyfile]
unmanaged-devices+=interface-name:{device}
""",
}
_STAYS = "Restart=always\n"
_ENDS = "RemainAfterExit=yes\nRestart=on-failure\n"


class Unit(Record):
    """The unit's text, and where it and the copy were written; None if nothing was.

    `settings` are the files that were written for network managers.
    """

    name: str
    text: str
    file: Path | None = None
    copy: Path | None = None
    settings: tuple[Path, ...] = ()


def make_unit(request: Request, stays: bool, into: Path, write: bool, managers: Path | None = None) -> Unit:
    """Check that the bundle can be applied here, write the copy and the unit. Raises DiagnosedError, OSError.

    `managers` is the folder, such as /etc, below which network managers are told to leave the route device alone.
    """
    bundle = open_ready(request)
    desired = prepare(request, bundle, observe(paths_of(request, bundle)))
    name = bundle.manifest.name
    text = unit_text(name, stays)
    if not write:
        return Unit(name, text)
    file = into / f"encap-{name}.service"
    device = bundle.manifest.route_device
    settings = leave_alone(name, device.name) if device is not None and managers is not None else {}
    places = {(managers or into).absolute() / place: text for place, text in settings.items()}
    copy = kept.keep(desired, request, str(file.absolute()), [str(place) for place in places])
    kept.check_kept(name)
    make_folders(into, PUBLIC)
    write_file(file, text.encode(), PUBLIC_FILE)
    for place, content in places.items():
        make_folders(place.parent, PUBLIC)
        write_file(place, content.encode(), PUBLIC_FILE)
    return Unit(name, text, file, copy, tuple(places))


def leave_alone(name: str, device: str) -> dict[str, str]:
    """The settings of network managers, by their place below /etc."""
    return {place.format(name=name): text.format(name=name, device=device) for place, text in LEAVE_ALONE.items()}


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
