"""What the route checks found."""

from __future__ import annotations

from dataclasses import dataclass, field

from ....common.diagnostics import Diagnostic, Severity
from .budget import Budget

SHOWN = 5


@dataclass
class RouteReport:
    """`pairs` endpoints were looked at, of `total` rows; the diagnostics are of any severity.

    Of the endpoints, `right` ones share their next hop with the packets that they are for; `unreached` ones are for
    packets that never reach the hook; of `unknown` ones the neighbours are not known yet; `this_host` are this
    machine's own addresses, which are in `own`. `budget` is None for a bundle without headers.
    """

    diagnostics: list[Diagnostic] = field(default_factory=list)
    right: int = 0
    unreached: int = 0
    unknown: int = 0
    pairs: int = 0
    total: int = 0
    this_host: int = 0
    own: list[str] = field(default_factory=list)
    budget: Budget | None = None

    def refuse(self, code: str, words: str, fix: str) -> None:
        self.diagnostics.append(Diagnostic(code, words, help=fix))

    def warn(self, code: str, words: str, fix: str) -> None:
        self.diagnostics.append(Diagnostic(code, words, help=fix, severity=Severity.WARNING))

    def note(self, code: str, words: str, fix: str) -> None:
        self.diagnostics.append(Diagnostic(code, words, help=fix, severity=Severity.NOTE))


def listed(things: list[str], most: int = SHOWN) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(things) - most} more" if len(things) > most else ""
    return ", ".join(things[:most]) + more
