"""The copy on disk that a machine boots from: bundle, host file, rows and settings, without git and without network.

`/var/lib/encap/NAME/current` is a link to a folder that is complete; a new copy is written beside it, and the link is
exchanged in one step. Whatever is killed, the copy before is still there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path

from ...common.data_hashes import DATA_HASHES
from ...common.diagnostics import DiagnosedError, Diagnostic, Exit
from ...common.folders import PRIVATE, PRIVATE_FILE, PUBLIC, create_file, make_folders
from ...common.record import Record
from .bundle import NAME, open_bundle
from .closing import Network, closable, on_link
from .desired import Desired, Request
from .kept_folder import CURRENT, concerns_this_namespace, folder, is_kept

FORMAT_VERSION = 1
_REQUEST, _BUNDLE, _HOST = "request.json", "bundle", "host.yaml"


class Kept(Record):
    """What a copy says: the request that applies it, the subnets that were on-link, its systemd unit, and files with
    settings of network managers that were written for it."""

    request: Request
    on_link: tuple[Network, ...] = ()
    unit: str = ""
    settings: tuple[str, ...] = ()


def keep(desired: Desired, request: Request, unit: str = "", settings: Sequence[str] = ()) -> Path:
    """Write the copy, or leave it if it is the same; its folder. Raises OSError, KernelError."""
    bundle, manifest = desired.bundle, desired.manifest
    files: dict[str, bytes] = {}
    hashed = [DATA_HASHES] if (bundle.directory / DATA_HASHES).exists() else []
    for name in ("manifest.json", *manifest.files, *hashed):
        files[f"{_BUNDLE}/{name}"] = (bundle.directory / name).read_bytes()
    rows = {}
    for table in manifest.tables:
        if table.name in bundle.rows or table.name in bundle.host_rows:
            rows[table.name] = f"rows/{table.name}.csv"
            files[rows[table.name]] = bundle.rows_file(table).read_bytes()
    if desired.host_file:
        files[_HOST] = Path(desired.host_file).read_bytes()
    document = {
        "format_version": FORMAT_VERSION,
        "rows": rows,
        "host_file": _HOST if desired.host_file else "",
        "settings": list(request.settings),
        "attach": request.attach,
        "bpffs": request.bpffs,
        "on_link": [str(n) for n in on_link(closable(manifest))],
        "unit": unit,
        "network_settings": list(settings),
    }
    files[_REQUEST] = (json.dumps(document, indent=1) + "\n").encode()
    return _write(folder(manifest.name), files)


def refresh(desired: Desired, request: Request) -> Path | None:
    """Write the copy again where there is one that is not what was just applied. Raises OSError, KernelError."""
    name = desired.manifest.name
    if not is_kept(name) or not concerns_this_namespace() or _within(request.bundle, folder(name)):
        return None
    kept = open_kept(name)
    return keep(desired, request, kept.unit, kept.settings)


def open_kept(name: str) -> Kept:
    """The copy of a bundle. Raises DiagnosedError (H146)."""
    here = folder(name) / CURRENT
    if not NAME.fullmatch(name) or not here.is_dir():
        words = f"no copy of {name} is kept in {folder(name).parent}"
        raise DiagnosedError([Diagnostic("H146", words, help="`encapctl unit BUNDLE` writes one")], Exit.MACHINE)
    here = here.resolve()
    try:
        document = json.loads((here / _REQUEST).read_text(encoding="utf-8"))
        if document["format_version"] != FORMAT_VERSION:
            raise ValueError("another format")
        request = Request(
            here / _BUNDLE,
            {str(table): here / str(file) for table, file in document["rows"].items()},
            str(here / document["host_file"]) if document["host_file"] else "",
            tuple(str(s) for s in document["settings"]),
            str(document["attach"]),
            str(document["bpffs"]),
            kept=name,
        )
        settings = tuple(str(s) for s in document.get("network_settings", ()))  # release 0.1 wrote none
        return Kept(request, tuple(ip_network(n) for n in document["on_link"]), str(document["unit"]), settings)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        words = f"the copy of {name} in {here} cannot be read: {error}"
        raise DiagnosedError(
            [Diagnostic("H146", words, help="write it again: `encapctl unit BUNDLE`")], Exit.MACHINE
        ) from None


def known_on_link(bundle: Path) -> tuple[Network, ...]:
    """The subnets that were on-link when the copy was written that a bundle is of; none if it is no copy."""
    try:
        document = json.loads((bundle.parent / _REQUEST).read_text(encoding="utf-8"))
        return tuple(ip_network(n) for n in document["on_link"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def forget_kept(name: str) -> list[Path]:
    """Remove the copies and the unit of a bundle; what was removed. Raises OSError."""
    if not is_kept(name) or not concerns_this_namespace():
        return []
    try:
        kept = open_kept(name)
        written = [kept.unit, *kept.settings]
    except DiagnosedError:
        written = []
    gone = [folder(name)]
    for file in map(Path, filter(None, written)):
        if file.is_file():
            file.unlink()
            gone.append(file)
    shutil.rmtree(folder(name))
    return gone


def check_kept(name: str) -> None:
    """Read the copy as apply will. Raises DiagnosedError."""
    request = open_kept(name).request
    open_bundle(request.bundle, request.rows)


def _write(where: Path, files: Mapping[str, bytes]) -> Path:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    target, link = where / digest.hexdigest()[:16], where / CURRENT
    if link.is_symlink() and link.resolve() == target.resolve():
        return target
    make_folders(where, PUBLIC)
    shutil.rmtree(target, ignore_errors=True)
    make_folders(target, PRIVATE)
    for name, content in files.items():
        path = target / name
        make_folders(path.parent, PRIVATE)
        create_file(path, content, PRIVATE_FILE)
        _to_disk(path)
    _to_disk(target)
    fresh = where / f"{CURRENT}.tmp"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target.name)
    fresh.replace(link)
    _to_disk(where)
    for other in where.iterdir():
        if other.is_dir() and not other.is_symlink() and other != target:
            shutil.rmtree(other, ignore_errors=True)
    return target


def _to_disk(path: Path) -> None:
    """A copy that boots must survive a loss of power right after it was written."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _within(path: Path, around: Path) -> bool:
    return path.resolve().is_relative_to(around.resolve())
