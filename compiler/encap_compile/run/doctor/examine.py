"""Examine a machine, alone or for a bundle: each check in its order, whether the ones before it were right or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

from ...common.diagnostics import DiagnosedError, Diagnostic, Exit, Findings, Severity
from ...common.record import Record
from ..kernel.errors import KernelError
from ..loader import gro
from ..loader.bundle import Bundle, open_bundle
from ..loader.cgroups import attached_path, find_cgroups
from ..loader.deployment import Deployment, sketch
from ..loader.desired import Request
from ..loader.routing import RouteReport, check_routes
from ..loader.segmentation import check_segmentation
from ..plan import plan
from . import prerequisites
from .broken_route_device import broken_route_device
from .settings import CHECKS


class State(StrEnum):
    """`unseen` is what could not be looked at."""

    OK = "ok"
    FOUND = "found"
    UNSEEN = "unseen"


class Check(Record):
    """What was looked at, and in words what is right, or why it was not seen."""

    name: str
    state: State
    text: str
    diagnostics: tuple[Diagnostic, ...] = ()


class Examined(Record):
    """`bundle` is empty where the machine alone was examined."""

    bundle: str
    checks: tuple[Check, ...]
    exit_code: Exit

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All findings, each once."""
        return tuple(dict.fromkeys(found for check in self.checks for found in check.diagnostics))


def examine(request: Request | None, bpffs: str = "") -> Examined:
    """Look at everything that can be seen; change nothing. Raises DiagnosedError for a bundle that cannot be read."""
    bundle = open_bundle(request.bundle, request.rows) if request is not None else None
    manifest = bundle.manifest if bundle is not None else None
    examination = _Examination()
    examination.attempt("privileges", prerequisites.privileges)
    examination.attempt("kernel", lambda: prerequisites.kernel(manifest))
    examination.attempt("libbpf", prerequisites.libbpf)
    examination.attempt("bpf filesystem", lambda: prerequisites.bpffs(bpffs))
    if request is not None and bundle is not None:
        _examine_bundle(examination, request, bundle)
    return Examined(manifest.name if manifest is not None else "", tuple(examination.checks), examination.exit_code)


def _examine_bundle(examination: _Examination, request: Request, bundle: Bundle) -> None:
    findings = Findings()
    deployment: Deployment | None = None

    def host_values() -> str:
        nonlocal deployment
        deployment = sketch(request, bundle, findings)
        named = ", ".join(f"{name} = {value.text()}" for name, value in deployment.machine.values.items())
        return named or "none are needed"

    examination.attempt("host values", host_values, findings)
    if deployment is None:
        examination.unseen("devices, routes and settings", "host values are missing")
        return
    _examine_cgroups(examination, deployment)
    segmentation = Findings()
    check_segmentation(deployment.manifest, deployment.machine, segmentation)
    examination.found("segmentation", segmentation.all)
    merging = gro.find(deployment.manifest, deployment.manifest.name, "")
    examination.found("received segments", gro.advice(merging, deployment.machine))
    routes = RouteReport()

    def look_at_routes() -> str:
        nonlocal routes
        routes = check_routes(deployment)
        return "they lead to the programs, and what they allow fits"

    examination.attempt("routes", look_at_routes, more=lambda: routes.diagnostics)
    for name, check in CHECKS.items():
        examination.found(name, check(deployment, routes))
    if not prerequisites.privileged():
        examination.unseen("hooks", "what runs there, and before ours, takes the privileges above to see")
    elif any(check.name == "bpf filesystem" and check.state is not State.OK for check in examination.checks):
        examination.unseen("hooks", "there is no bpf filesystem")
    else:
        _examine_hooks(examination, request, bundle)


def _examine_cgroups(examination: _Examination, deployment: Deployment) -> None:
    attached = attached_path(deployment.manifest, deployment.machine)
    if not attached:
        return
    findings = Findings()

    def cgroups() -> str:
        find_cgroups(attached, (), findings)
        prerequisites.raise_errors(findings)
        return attached

    examination.attempt("cgroups", cgroups)


def _examine_hooks(examination: _Examination, request: Request, bundle: Bundle) -> None:
    """What `plan` finds on the hooks, and beside other bundles."""
    findings: list[Diagnostic] = []
    known = {found for check in examination.checks for found in check.diagnostics}

    def hooks() -> str:
        planned = plan(request, bundle)
        found = (*planned.findings.all, *planned.refused, *broken_route_device(planned))
        findings.extend(d for d in found if d not in known)
        return "nothing keeps packets from our programs"

    examination.attempt("hooks", hooks, more=lambda: findings)


class _Examination:
    """Collects checks, and with which code they end."""

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.exit_code = Exit.DONE

    def attempt(
        self,
        name: str,
        check: Callable[[], str],
        findings: Findings | None = None,
        more: Callable[[], Iterable[Diagnostic]] = tuple,
    ) -> None:
        """A check that raises what is wrong, or returns in words what is right; beside that, `findings` and `more`."""
        try:
            text = check()
        except DiagnosedError as error:
            self._worst(error.exit_code)
            self.checks.append(Check(name, State.FOUND, "", error.diagnostics))
            return
        except (KernelError, OSError) as error:
            self.unseen(name, str(error))
            return
        self.found(name, [*(findings.all if findings is not None else ()), *more()], text)

    def found(self, name: str, diagnostics: Iterable[Diagnostic], text: str = "") -> None:
        """A check that returns what is wrong. A note is not."""
        listed = tuple(diagnostics)
        severities = {d.severity for d in listed}
        if Severity.ERROR in severities:
            self._worst(Exit.MACHINE)
        elif Severity.WARNING in severities:
            self._worst(Exit.DRIFT)
        state = State.FOUND if severities - {Severity.NOTE} else State.OK
        self.checks.append(Check(name, state, text if state is State.OK else "", listed))

    def unseen(self, name: str, why: str) -> None:
        self.checks.append(Check(name, State.UNSEEN, why))

    def _worst(self, code: Exit) -> None:
        """What keeps a bundle from being applied takes precedence over what should be mended."""
        if self.exit_code in (Exit.DONE, Exit.DRIFT):
            self.exit_code = code if code is not Exit.DONE else self.exit_code
