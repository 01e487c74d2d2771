"""Routes that lead nowhere, in a table of their own that a rule asks before the others."""

from __future__ import annotations

from collections.abc import Iterable

from .table_routes import VERSIONS, Entry, Network, close_rules, entries, fill, has_rule, keep_only, open_rules


def close(table: int, unreachable: Iterable[Network], thrown: Iterable[Network]) -> None:
    """Fill a table and put its rules in force, routes first. `thrown` are left to the other tables. Raises KernelError.

    Safe to repeat. Where the table leads to a device already, it goes on to.
    """
    wanted = [*map(Entry.behind, unreachable), *map(Entry.thrown, thrown)]
    fill(table, wanted)
    open_rules(table, {entry.network.version for entry in wanted})


def lift(table: int) -> None:
    """Take the rules away, each family in one step, then the routes. Nothing happens if there are none."""
    close_rules(table)
    if entries(table):
        keep_only(table, ())


def closed(table: int) -> bool:
    """Whether a rule of ours leads to the table. Raises KernelError."""
    return any(has_rule(table, version) for version in VERSIONS)
