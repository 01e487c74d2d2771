"""What `plan` and `apply` can be told beside the bundle: the options of the command line, as a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.diagnostics import Diagnostic
from ...common.record import Record

if TYPE_CHECKING:
    from ..loader.desired import Request

Bundle = str | PathLike[str]


def nobody(_: Diagnostic) -> None:
    """Wait in silence."""


class Options(Record):
    """Empty texts mean: as the environment or the default has it.

    `settings` are host values, `{"uplink": "bond0"}`, several of one name as a list; they take precedence over the host
    file. `rows` are files of rows by table. With `kept` the bundle is the name of the copy that this machine boots
    from. `allow_removals` is how many rows of each table may go, None for all. `lock_timeout` is how many seconds to
    wait for another run, None for ever, and `waiting` is told for whom.
    """

    host_file: str = ""
    settings: Mapping[str, str | Sequence[str]] | tuple[str, ...] = ()
    rows: Mapping[str, Bundle] = field(default_factory=dict)
    attach: str = ""
    bpffs: str = ""
    kept: bool = False
    allow_overlap: bool = False
    replace: str = ""
    allow_removals: int | None = 0
    lock_timeout: float | None = None
    waiting: Callable[[Diagnostic], None] = field(default=nobody, repr=False, compare=False)


def request(bundle: Bundle, options: Options) -> Request:
    """The same for the loader. Raises DiagnosedError for a copy that is not there."""
    from ..loader.desired import Request
    from ..loader.lock import Patience
    from ..loader.removals import ALL

    rows = {table: Path(file) for table, file in options.rows.items()}
    removals = ALL if options.allow_removals is None else options.allow_removals
    wait = Patience(options.lock_timeout, options.waiting)
    settings = _settings(options.settings)
    if not options.kept:
        return Request(
            Path(bundle),
            rows,
            options.host_file,
            settings,
            options.attach,
            options.bpffs,
            wait,
            options.replace,
            removals,
            options.allow_overlap,
        )
    from ..loader.kept import open_kept

    copy = open_kept(fspath(bundle)).request
    return replace(
        copy,
        rows={**copy.rows, **rows},
        host_file=options.host_file or copy.host_file,
        settings=(*copy.settings, *settings),
        attach=options.attach or copy.attach,
        bpffs=options.bpffs or copy.bpffs,
        patience=wait,
        replace=options.replace,
        allow_removals=removals,
        allow_overlap=options.allow_overlap,
    )


def _settings(given: Mapping[str, str | Sequence[str]] | tuple[str, ...]) -> tuple[str, ...]:
    """NAME=VALUE, several values with commas between them."""
    if not isinstance(given, Mapping):
        return tuple(given)
    return tuple(f"{name}={value if isinstance(value, str) else ','.join(value)}" for name, value in given.items())
