"""IPv6 prefixes that cover the addresses as which IPv4 ones are kept: ::ffff:0:0/96 (RFC 4291, section 2.5.5.2).

Where one trie holds both families, such a prefix would take every IPv4 packet that no IPv4 prefix takes.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..manifest import Table
from ..values import MAPPED, ValueProblem
from .problems import Problems
from .typed import TypedRows

ANY_IPV4 = (bytes(4), 0)
_FIRST = int.from_bytes(MAPPED + bytes(4), "big")
HELP = "add 0.0.0.0/0 too, or give what you mean of IPv6, as 2000::/3 and fc00::/7"


def covers_ipv4(address: bytes, length: int) -> bool:
    """Whether an IPv6 prefix covers all mapped addresses."""
    if len(address) != 16 or length > 8 * len(MAPPED):
        return False
    return _FIRST >> (128 - length) == int.from_bytes(address, "big") >> (128 - length)


def problem(text: str) -> ValueProblem:
    return ValueProblem("E631", f"{text} would take IPv4 packets too, which are kept as ::ffff:0:0/96", HELP)


def judge_covering(table: Table, typed: TypedRows, problems: Problems) -> None:
    """E631 for rows, unless a row for all of IPv4 takes precedence."""
    name = next((c.name for c in table.columns if c.type == "prefix" and len(c.families) == 2), "")
    if table.kind != "lpm" or not name:
        return
    addresses: Sequence[bytes] = typed.key.get(name, ())  # type: ignore[assignment]
    lengths = typed.lengths.get(name, [])
    found = [i for i, address in enumerate(addresses) if not any(address[:2]) and covers_ipv4(address, lengths[i])]
    exact = [column for other, column in typed.key.items() if other != name]
    for i in found:
        whole = (
            (addresses[j], lengths[j]) == ANY_IPV4 and all(column[i] == column[j] for column in exact)
            for j in range(len(addresses))
        )
        if not any(whole):
            text = (typed.sheet.column(name) or ())[i]
            problems.add(problem(text), i, typed.sheet.columns.index(name))
