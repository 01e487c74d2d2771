"""The ways by which a reply can leave, as C: by the family of which the host has its addresses."""

from __future__ import annotations

from .. import ir


def guarded_stacks(egress: ir.EgressProgram) -> list[ir.Stack]:
    """Stacks that are sent only by hosts that have the addresses for it."""
    return list({e.stack.name: e.stack for e in egress.encapsulators if e.guarded}.values())


def cases(dispatch: ir.Dispatch) -> list[tuple[str, list[ir.Encapsulator]]]:
    """What is sent in each case, in the order to be tried: all but the last are guarded."""
    found: dict[str, list[ir.Encapsulator]] = {}
    for encapsulator in dispatch.encapsulators:
        found.setdefault(encapsulator.case, []).append(encapsulator)
    return list(found.items())


def guard(stack: str) -> str:
    """Whether the host has the addresses of a stack."""
    return f"has_addresses_of_{stack}()"


def has_addresses(stack: ir.Stack) -> str:
    """The same as a condition: none of the host values in its outer addresses is missing."""
    sources = [p.source for w in stack.layers[0].words for p in w.parts if p.name in ("source", "destination")]
    members = [s.member for s in sources if isinstance(s, ir.FromHost)]
    return " && ".join(f"is_given(&host.{m})" if stack.outer_family == "ipv6" else f"host.{m}" for m in members)
