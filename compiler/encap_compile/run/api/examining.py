"""`doctor`: what is wrong with this machine, alone or for a bundle."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from ...common.diagnostics import Diagnostic, Exit
from ...common.record import Record
from .kernel_errors import on_this_machine
from .options import Bundle, Options, request

if TYPE_CHECKING:
    from ..doctor import Examined

DEFAULTS = Options()


class Finding(Record):
    """A check and what came of it: ok, found or unseen; `codes` are those of its diagnostics."""

    check: str
    state: str
    text: str
    codes: tuple[str, ...]


class Health(Record):
    """Every check that was made, and what is wrong: why it matters, and which command mends it."""

    checks: tuple[Finding, ...]
    diagnostics: tuple[Diagnostic, ...]
    _examined: Examined = field(repr=False, compare=False)

    @property
    def text(self) -> str:
        """What the command line prints."""
        from ..views.doctor_view import doctor_text

        return doctor_text(self._examined)

    @property
    def document(self) -> dict[str, Any]:
        """What `--format json` prints."""
        from ..views.doctor_view import doctor_document

        return doctor_document(self._examined)

    def exit_code(self) -> Exit:
        """DONE if nothing is wrong, DRIFT if something should be mended; another one where apply would refuse."""
        return self._examined.exit_code


@on_this_machine
def doctor(bundle: Bundle | None = None, options: Options = DEFAULTS) -> Health:
    """Look at this machine, for a bundle if one is named, and change nothing. Raises DiagnosedError for the bundle."""
    from ..doctor import examine

    found = examine(request(bundle, options) if bundle is not None else None, options.bpffs)
    checks = tuple(
        Finding(c.name, str(c.state), c.text, tuple(dict.fromkeys(d.code for d in c.diagnostics))) for c in found.checks
    )
    return Health(checks, found.diagnostics, found)
