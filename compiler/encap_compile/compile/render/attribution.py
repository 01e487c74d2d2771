"""Attribution of packets to sockets, as C: what sockets chose, and what they may."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ir


def any_bit(set_: str, names: Sequence[str]) -> str:
    """Whether a set of cgroups has one of those."""
    return f"{set_} & {names[0]}" if len(names) == 1 else f"{set_} & ({' | '.join(names)})"


def chose(choice: ir.ByChoice) -> str:
    """Whether the packet's socket chose one of the rows."""
    table = f"packet->socket.choice >> 32 == {choice.constant}"
    return _one_of(table, choice.rows, "(__u32)packet->socket.choice")


def permits(rule: ir.SocketRule) -> str:
    """Whether a rule lets the sockets of a program's cgroup choose so."""
    terms = [_one_of(f"choice >> 32 == {c.constant}", c.rows, "(__u32)choice") for c in rule.choices]
    cgroups = [f"({any_bit('host.cgroups', rule.cgroups)})"] if rule.cgroups else []
    if len(terms) > 1:
        return " && ".join([*cgroups, "(" + " || ".join(f"({t})" if "&&" in t else t for t in terms) + ")"])
    return " && ".join([*cgroups, terms[0]])


def _one_of(table: str, rows: Sequence[ir.NamedRow], row: str) -> str:
    if not rows:
        return table
    terms = " || ".join(f"{row} == {named.constant}" for named in rows)
    return f"{table} && ({terms})" if len(rows) > 1 else f"{table} && {terms}"


def reads_destination(attribution: ir.Attribution) -> bool:
    """Whether a connect rule asks for more than the socket's cgroups."""
    return any(not isinstance(c, ir.InCgroups) for rule in attribution.connects for c in rule.conditions)
