"""`status`, `overview` and `remove`: what is in force on this machine, and removing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...common.diagnostics import Diagnostic, Exit
from ...common.record import Record
from .kernel_errors import on_this_machine
from .options import Bundle, nobody

if TYPE_CHECKING:
    from ...common.manifest import Counter, Manifest
    from .. import overview as overviews
    from .. import remove as removals
    from .. import status as states


class HookState(Record):
    """A hook that has, or should have, a program of ours, `on` a device or a cgroup; ids are None where it has none."""

    on: str
    hook: str
    kind: str | None
    program_id: int | None
    identity: str | None


class CounterTotal(Record):
    """A counter since the first apply: segments as on the wire, and the bytes of inner packets.

    What it counts, by its parts, is empty for bundles of earlier releases; `docs/operations.md` says what they mean.
    """

    name: str
    packets: int
    bytes: int
    text: str
    direction: str
    rule: str
    table: str
    encapsulation: str
    outcome: str
    reason: str


class Status(Record):
    """What is in force of a bundle. `drift` says, a sentence each, what is not as it was applied.

    `identity` is that of what was applied, None before an apply has finished. `up` says whether our program is on
    every hook that should have it. `cgroups` has the number of each, None as long as it is not there. `diagnostics`
    says what could not be read, so that only the kernel was asked.
    """

    name: str
    identity: str | None
    applied_at: float | None
    up: bool
    drift: tuple[str, ...]
    host: Mapping[str, str]
    hooks: tuple[HookState, ...]
    counters: tuple[CounterTotal, ...]
    cgroups: Mapping[str, int | None]
    diagnostics: tuple[Diagnostic, ...]
    _status: states.Status = field(repr=False, compare=False)

    @property
    def text(self) -> str:
        """What `encapctl status` prints."""
        from ..views.status_view import status_text

        return status_text(self._status)

    @property
    def document(self) -> dict[str, Any]:
        """What `encapctl status --format json` prints."""
        from ..views.status_view import status_document

        return _whole(status_document(self._status))

    @property
    def counters_text(self) -> str:
        """What `encapctl stats` prints."""
        from ..views.status_view import counters_text

        return counters_text(self._status)

    @property
    def counters_document(self) -> dict[str, Any]:
        """What `encapctl stats --format json` prints."""
        from ..views.status_view import counters_document

        return _whole(counters_document(self._status))

    def prometheus(self, counters: bool = True) -> str:
        """What `encapctl stats --format prometheus` prints, or without counters `encapctl status`."""
        from ..views.prometheus import prometheus

        return prometheus(self._status, counters)

    def exit_code(self) -> Exit:
        """DRIFT if something is not as it was applied."""
        return Exit.DRIFT if self.drift else Exit.DONE


class Overview(Record):
    """All bundles of this network namespace. `missing` are those that this machine boots with and that do not run."""

    bundles: tuple[Status, ...]
    missing: tuple[str, ...]
    drift: bool
    _overview: overviews.Overview = field(repr=False, compare=False)

    @property
    def text(self) -> str:
        """What `encapctl status` prints."""
        from ..views.overview_view import overview_text

        return overview_text(self._overview)

    @property
    def document(self) -> dict[str, Any]:
        """What `encapctl status --format json` prints."""
        from ..views.overview_view import overview_document

        return _whole(overview_document(self._overview))

    def exit_code(self) -> Exit:
        """DRIFT if something is not as it was applied."""
        return Exit.DRIFT if self.drift else Exit.DONE


class Removed(Record):
    """What was removed. Packets of `unencapsulated` rules now leave unencapsulated, those of `undropped` rules pass."""

    name: str
    hooks: tuple[HookState, ...]
    maps: int
    unencapsulated: tuple[str, ...]
    undropped: tuple[str, ...]
    _removed: removals.Removed = field(repr=False, compare=False)

    @property
    def text(self) -> str:
        """What `encapctl remove` prints."""
        from ..views.status_view import removed_text

        return removed_text(self._removed)

    @property
    def document(self) -> dict[str, Any]:
        """What `encapctl remove --format json` prints."""
        from ..views.status_view import removed_document

        return _whole(removed_document(self._removed))


def _whole(document: dict[str, Any]) -> dict[str, Any]:
    """Diagnostics and their numbers are in every document."""
    from ...common.reporting.json import document as of_diagnostics

    return {**of_diagnostics(()), **document}


@on_this_machine
def status(bundle: Bundle, bpffs: str = "", deep: bool = False) -> Status:
    """What is in force of a bundle, by its folder or its name; `deep` compares every map with what was applied.

    Changes nothing. Raises DiagnosedError, with H110 where the bundle is not applied.
    """
    from ..loader.bundle import with_data_as_found
    from ..status import status as look

    name, manifest = named(bundle)
    compared = with_data_as_found(manifest, Path(bundle)) if manifest is not None else None
    return _status(look(name, compared, bpffs, deep))


@on_this_machine
def overview(bpffs: str = "", deep: bool = False) -> Overview:
    """Every bundle of this network namespace. Changes nothing. Raises DiagnosedError."""
    from ..overview import overview as look

    found = look(bpffs, deep)
    bundles, missing = tuple(map(_status, found.bundles)), tuple(m.name for m in found.missing)
    return Overview(bundles, missing, found.drift, found)


@on_this_machine
def remove(
    bundle: Bundle,
    bpffs: str = "",
    lock_timeout: float | None = None,
    waiting: Callable[[Diagnostic], None] = nobody,
) -> Removed:
    """Remove a bundle from this machine, by its folder or its name. Raises DiagnosedError, H110 if nothing is there.

    `lock_timeout` and `waiting` are as in `Options`.
    """
    from ..loader.lock import Patience
    from ..remove import remove as run

    done = run(*named(bundle), bpffs, Patience(lock_timeout, waiting))
    hooks = tuple(HookState(h.on, h.point.word, h.kind, None, None) for h in done.hooks)
    names = tuple(r.name for r in done.unencapsulated), tuple(r.name for r in done.undropped)
    return Removed(done.name, hooks, done.maps, *names, done)


def named(bundle: Bundle) -> tuple[str, Manifest | None]:
    """A bundle's directory, or the name of one that is applied."""
    from ..loader.bundle import NAME, load_manifest

    path = Path(bundle)
    if path.is_dir() or len(path.parts) > 1 or not NAME.fullmatch(str(path)):
        manifest = load_manifest(path)
        return manifest.name, manifest
    return str(path), None


def _status(found: states.Status) -> Status:
    hooks = (
        HookState(
            h.on,
            h.hook.point.word,
            h.running.kind if h.running else None,
            h.running.program_id if h.running else None,
            h.identity or None,
        )
        for h in found.hooks
    )
    return Status(
        name=found.name,
        identity=found.manifest.identity if found.manifest else None,
        applied_at=found.state.applied_at if found.state else None,
        up=found.up,
        drift=found.drift,
        host=found.host,
        hooks=tuple(hooks),
        counters=tuple(_total(*counted) for counted in found.counters),
        cgroups={path: number or None for path, number in found.cgroups.items()},
        diagnostics=(found.unreadable.diagnostic(found.name),) if found.unreadable else (),
        _status=found,
    )


def _total(counter: Counter, packets: int, size: int) -> CounterTotal:
    return CounterTotal(
        counter.name,
        packets,
        size,
        counter.text,
        counter.direction,
        counter.rule,
        counter.table,
        counter.encapsulation,
        counter.outcome,
        counter.reason,
    )
