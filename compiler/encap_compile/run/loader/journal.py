"""What a bundle sets on the machine beside programs and maps: devices, sysctls, routes. Written down before it is set.

The file outlives a reboot and a run that is killed anywhere: the next apply or remove finds what may be there. It is
never the truth, which is asked from the kernel; it says what is ours, and what stood there before.
"""

# Annotations are not postponed here: `structured` reads the document by them.

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import Any

from ...common import format_version
from ...common.diagnostics import DiagnosedError, Diagnostic, Exit
from ...common.folders import PUBLIC, PUBLIC_FILE, make_folders, write_file
from ...common.record import Record
from ...common.regular_file import read_regular
from ...common.structured import MalformedError, structured
from ..kernel.netns import in_first_network_namespace, this_namespace
from ..kernel.system import boot_id

VARIABLE = "ENCAP_JOURNAL"
DEFAULT = Path("/var/lib/encap/journal")
FORMAT_VERSION = "1.0"
OF_THE_MACHINE = "machine"  # the folder of the first network namespace, whose numbers another boot may change
_SUFFIX = ".json"
_MOST_BYTES = 1 << 20


class Setting(Record):
    """A sysctl by its name, as net.ipv4.conf.lo.forwarding: what it was, and what we set."""

    before: str
    ours: str


class Journal(Record):
    """`devices`: by the names of those that the bundle makes, what for. `sysctls`: by their names.

    `tables`: the routing tables that it fills, each behind a rule. `boot_id` tells another namespace of another boot
    apart from this one, which may have its number.
    """

    devices: dict[str, str] = field(default_factory=dict)
    sysctls: dict[str, Setting] = field(default_factory=dict)
    tables: tuple[int, ...] = ()
    boot_id: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing is ours."""
        return not (self.devices or self.sysctls or self.tables)


def journals_folder() -> Path:
    """Where the journals of all network namespaces are, in a folder for each."""
    return Path(os.environ.get(VARIABLE, "") or DEFAULT)


def journal_folder() -> Path:
    """Where the journals of this network namespace are."""
    return journals_folder() / (OF_THE_MACHINE if in_first_network_namespace() else this_namespace().folder)


def read(bundle: str) -> Journal:
    """The journal of a bundle, an empty one if there is none. Raises DiagnosedError (H155), OSError."""
    path = _path(bundle)
    try:
        document = json.loads(read_regular(path, _MOST_BYTES))
        major = format_version.read(_object(document).get("format_version"), "journal")[0]
        if major != format_version.read(FORMAT_VERSION, "journal")[0]:
            raise MalformedError(f"format {document['format_version']}, not {FORMAT_VERSION}")
        journal: Journal = structured(Journal, document, "journal")
    except (FileNotFoundError, NotADirectoryError):
        return Journal()
    except (ValueError, TypeError, RecursionError) as error:
        words = f"what {bundle} has set on this machine is written in {path}, which cannot be read: {error}"
        fix = "if no other release of encapctl wrote it: remove the file and apply again; sysctls stay as they are"
        raise DiagnosedError([Diagnostic("H155", words, help=fix)], Exit.MACHINE) from None
    if journal.boot_id == boot_id():
        return journal
    # A sysctl that has our value after a reboot has it from somebody else. Devices and tables may be there before us.
    return replace(journal, sysctls={}) if in_first_network_namespace() else Journal()


def write(bundle: str, journal: Journal) -> None:
    """Write it down, durably: what it says is set next. An empty one is removed. Raises OSError."""
    path = _path(bundle)
    if journal.empty:
        forget(bundle)
        return
    document = {"format_version": FORMAT_VERSION, **asdict(replace(journal, boot_id=boot_id()))}
    content = f"{json.dumps(document, indent=1)}\n".encode()
    if path.is_file() and path.read_bytes() == content:
        return
    make_folders(path.parent, PUBLIC)
    write_file(path, content, PUBLIC_FILE)
    for each in (path, path.parent):
        _to_disk(each)


def forget(bundle: str) -> None:
    """Remove it: nothing of it is on the machine any more. Raises OSError."""
    path = _path(bundle)
    for file in (path, path.with_name(f"{path.name}.tmp")):
        if file.exists():  # where nothing can be written, nothing need be
            file.unlink(missing_ok=True)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()


def others(bundle: str) -> Iterable[Journal]:
    """The journals of the other bundles of this network namespace. Raises DiagnosedError, OSError."""
    here = journal_folder()
    names = sorted(p.name.removesuffix(_SUFFIX) for p in here.glob(f"*{_SUFFIX}")) if here.is_dir() else []
    return [read(name) for name in names if name != bundle]


def with_sysctls(
    journal: Journal, wanted: Mapping[str, str], now: Mapping[str, str], beside: Iterable[Journal]
) -> Journal:
    """The journal that has to be written before sysctls are set to what is wanted; `now` is what they are.

    What stood there before is what another bundle of ours found, where one has set it; it is not what we set.
    """
    known = dict(journal.sysctls)
    for name, value in wanted.items():
        theirs = next((j.sysctls[name].before for j in beside if name in j.sysctls), None)
        mine = known.get(name)
        if theirs is not None:
            known[name] = Setting(theirs, value)
        elif mine is None or now[name] != mine.ours:
            known[name] = Setting(now[name], value)
    return replace(journal, sysctls=known)


def to_restore(
    journal: Journal, wanted: Iterable[str], now: Mapping[str, str], beside: Iterable[Journal]
) -> dict[str, str]:
    """The sysctls of the journal that are given back, with what they were: ours still, and no longer wanted."""
    needed = {*wanted, *(name for j in beside for name in j.sysctls)}
    return {
        name: setting.before
        for name, setting in journal.sysctls.items()
        if name not in needed and now.get(name) == setting.ours != setting.before
    }


def _path(bundle: str) -> Path:
    return journal_folder() / f"{bundle}{_SUFFIX}"


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise MalformedError("journal: an object is expected")
    return document


def _to_disk(path: Path) -> None:
    """It must survive a loss of power right after it was written."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
