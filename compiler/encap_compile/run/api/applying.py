"""`plan` and `apply`: what a bundle would change on this machine, and changing it."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from ...common.diagnostics import Diagnostic, Exit, Severity
from ...common.record import Record
from .kernel_errors import on_this_machine
from .options import Bundle, Options, request

if TYPE_CHECKING:
    from .. import plan as plans
    from ..loader.routing import RouteReport

DEFAULTS = Options()


class HookChange(Record):
    """What happens on a hook: `on` a device or a cgroup; `action` is keep, attach, replace, switch or detach."""

    on: str
    hook: str
    kind: str
    action: str
    why: str


class RuleChange(Record):
    """A rule that is added (+), removed (-) or changed (~); `before` is what a changed one did."""

    sign: str
    name: str
    text: str
    before: str


class RowsChange(Record):
    """What happens to the rows of a table; `total` of them are there then."""

    table: str
    added: int
    removed: int
    changed: int
    total: int


class Changes(Record):
    """`identity` is that of the bundle, `in_force` of what runs before, None where nothing does.

    `obstacles` are filters before ours that end the chain, which apply cannot mend.
    """

    name: str
    identity: str
    in_force: str | None
    changed: bool
    hooks: tuple[HookChange, ...]
    rules: tuple[RuleChange, ...]
    rows: tuple[RowsChange, ...]
    obstacles: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    _plan: plans.Plan = field(repr=False, compare=False)
    _routes: RouteReport = field(repr=False, compare=False)

    @property
    def document(self) -> dict[str, Any]:
        """What `--format json` prints."""
        from ...common.reporting.json import document
        from ..views.plan_view import plan_document

        return {**document(()), **plan_document(self._plan, self._routes, list(self.diagnostics))}


class Planned(Changes):
    """What apply would change; nothing was done. `refused` says why apply would not do it."""

    refused: tuple[Diagnostic, ...]

    @property
    def text(self) -> str:
        """What the command line prints."""
        from ..views.plan_view import plan_text

        return plan_text(self._plan, self._routes)

    def exit_code(self, strict: bool = False) -> Exit:
        """DRIFT if something would change, or with `strict` if there is a warning; MACHINE where apply would refuse, or
        packets would be lost whatever senders do."""
        if self.refused and self._plan.refusal is Exit.MACHINE:
            return Exit.MACHINE
        if any(d.severity is Severity.ERROR for d in self._routes.diagnostics):
            return Exit.MACHINE
        warned = any(d.severity is Severity.WARNING for d in self.diagnostics)
        return Exit.DRIFT if self.changed or self.obstacles or (strict and warned) else Exit.DONE


class Applied(Changes):
    """What was changed, in so many seconds; the bundle is in force."""

    seconds: float

    @property
    def text(self) -> str:
        """What the command line prints."""
        from ..views.plan_view import plan_text

        return plan_text(self._plan, self._routes, done=True, seconds=self.seconds)

    @property
    def document(self) -> dict[str, Any]:
        """What `--format json` prints."""
        return {**super().document, "seconds": round(self.seconds, 3)}

    def exit_code(self) -> Exit:
        """DRIFT if a filter before ours ends the chain, as of `status`."""
        return Exit.DRIFT if self.obstacles else Exit.DONE


@on_this_machine
def plan(bundle: Bundle, options: Options = DEFAULTS) -> Planned:
    """Look at the bundle and the machine, and change nothing. Raises DiagnosedError."""
    from ..doctor import check_settings
    from ..loader.gro import advice
    from ..loader.routing import check_routes
    from ..plan import plan as look

    found = look(request(bundle, options))
    routes = check_routes(found.desired)
    settings = check_settings(found.desired, routes)
    merging = advice(found.gro, found.desired.machine)
    diagnostics = (*found.findings.all, *routes.diagnostics, *settings, *merging, *found.refused)
    return Planned(**_changes(found, routes, diagnostics), refused=found.refused)


@on_this_machine
def apply(bundle: Bundle, options: Options = DEFAULTS) -> Applied:
    """Make this machine run the bundle. Safe to repeat, at the same time, and to kill at any point.

    Raises DiagnosedError; then every hook has the old or the new program, and every mix of both works.
    """
    from ..apply import apply as carry_out
    from ..doctor import check_settings
    from ..loader.routing import routes_after

    done = carry_out(request(bundle, options))
    routes = routes_after(done.plan.desired)
    settings = check_settings(done.plan.desired, routes)
    diagnostics = (*done.plan.findings.all, *routes.diagnostics, *settings)
    return Applied(**_changes(done.plan, routes, diagnostics), seconds=done.seconds)


def _changes(found: plans.Plan, routes: RouteReport, diagnostics: tuple[Diagnostic, ...]) -> dict[str, Any]:
    manifest, state = found.desired.manifest, found.observed.state
    return {
        "name": manifest.name,
        "identity": manifest.identity,
        "in_force": state.manifest.identity if state and state.manifest else None,
        "changed": found.changed,
        "hooks": tuple(HookChange(h.on, h.hook.point.word, h.kind, h.action, h.why) for h in found.hooks),
        "rules": tuple(RuleChange(c.sign, c.rule.name, c.rule.text, c.before) for c in found.rules),
        "rows": tuple(
            RowsChange(
                m.content.table, m.difference.added, m.difference.removed, m.difference.changed, m.content.entries.count
            )
            for m in found.maps
            if m.content is not None and m.content.kind == "rows"
        ),
        "obstacles": found.obstacles,
        "diagnostics": diagnostics,
        "_plan": found,
        "_routes": routes,
    }
