"""What arrives in an encapsulation is done with as the document says: by which rule, with which mark, or refused.

The headers are right: what is wrong in one of them is held against the catalogue elsewhere. ENCAP_ORACLE_SPECS and
ENCAP_ORACLE_PACKETS are as for what leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from encap_compile.compile import ir
from encap_compile.compile.lower import ingress

from .ingress import Ingress
from .test_egress import COUNT, PACKETS, TRIED, pairs

Patch = Callable[[pytest.MonkeyPatch], None]


def test_drawn_documents(tmp_path: Path) -> None:
    path, taken = tmp_path / "spec.yaml", 0
    for seed, pair in pairs(path, int(COUNT)):
        taken += bool(Ingress(pair.document).names)
        found = next(pair.arrivals(seed, PACKETS // 2), None)
        assert found is None, f"{found}\n\n{path.read_text()}"
    assert taken > int(COUNT) / 8


# ---- that it finds what is wrong -------------------------------------------------------------------------------------


def anybody_may_send(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ingress, "_senders", lambda *_: ir.AnySource())


def without_the_last_sender(patch: pytest.MonkeyPatch) -> None:
    right = ingress._senders

    def fewer(*given: Any) -> ir.Senders:
        found = right(*given)
        return found._replace(prefixes=found.prefixes[:-1]) if isinstance(found, ir.SourcePrefixes) else found

    patch.setattr(ingress, "_senders", fewer)


def changed(patch: pytest.MonkeyPatch, change: Callable[[ir.IngressRule], ir.IngressRule]) -> None:
    right = ingress._rule
    patch.setattr(ingress, "_rule", lambda *given: change(right(*given)))


def any_inner_packet(patch: pytest.MonkeyPatch) -> None:
    changed(patch, lambda rule: rule._replace(match=()))


def any_identifier(patch: pytest.MonkeyPatch) -> None:
    def unasked(rule: ir.IngressRule) -> ir.IngressRule:
        marks = any(isinstance(s, ir.SetMark) and isinstance(s.value, ir.FromRow) for s in rule.steps)
        kept = tuple(s for s in rule.steps if marks or not isinstance(s, ir.IdentifierLookUp))
        return rule._replace(steps=kept)

    changed(patch, unasked)


def the_mark_that_it_had(patch: pytest.MonkeyPatch) -> None:
    changed(patch, lambda rule: rule._replace(steps=tuple(s for s in rule.steps if not isinstance(s, ir.SetMark))))


def the_last_rule_first(patch: pytest.MonkeyPatch) -> None:
    right = ingress._decapsulation
    patch.setattr(ingress, "_decapsulation", lambda *given: right(*given)._replace(rules=right(*given).rules[::-1]))


WRONG: list[Patch] = [
    anybody_may_send,
    without_the_last_sender,
    any_inner_packet,
    any_identifier,
    the_mark_that_it_had,
    the_last_rule_first,
]


@pytest.mark.sweep
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_wrong_compiler_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Patch) -> None:
    wrong(monkeypatch)
    found = (next(pair.arrivals(seed, PACKETS), None) for seed, pair in pairs(tmp_path / "spec.yaml", TRIED))
    assert any(found)
