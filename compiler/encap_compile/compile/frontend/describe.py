"""A rule in one line, for comments in the C, for `explain` and for `plan`."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.value_names import DSCP_NAMES, PROTOCOL_NAMES
from ..spec import Addresses, AnySource, Learn, Match, Range, Reflect, RowTarget, TableField, Value
from ..spec import Scalar as _Scalar

MOST_PREFIXES = 4  # a longer list is counted


def egress_text(
    match: Match,
    to: RowTarget | None,
    socket: Sequence[RowTarget],
    reflect: Reflect | None,
    action: str | None,
    on_miss: str,
) -> str:
    """Like `10.0.0.0/8 tcp 443,8000-8999 -> sites, no row: drop`."""
    words = match_text(match) or "everything"
    if reflect is not None:
        other = f" with {reflect.encapsulation}" if reflect.encapsulation else ""
        return f"{words} -> as {reflect.rule} came in{other}, unknown flow: next"
    if socket:
        return f"{words} -> what the socket chose of {','.join(map(target_text, socket))}, no row: {on_miss}"
    if to is None:
        return f"{words}: {action}"
    return f"{words} -> {target_text(to)}, no row: {on_miss}"


def connect_text(match: Match, choose: RowTarget | None) -> str:
    """Like `cgroup a.slice 10.0.0.0/8 tcp: exits/fra is chosen`."""
    return (
        f"{match_text(match) or 'everything'}: {f'{target_text(choose)} is chosen' if choose else 'nothing is chosen'}"
    )


def target_text(to: RowTarget) -> str:
    return to.table if to.row is None else f"{to.table}/{to.row}"


def ingress_text(
    encapsulation: str,
    source: Addresses | TableField | AnySource,
    match: Match,
    lookup: str | None,
    set_mark: Value | None,
    learn: Learn | None,
) -> str:
    """Like `vxlan from sites.address to 10.0.0.0/8, in vnis`."""
    words = [encapsulation, "from", source_text(source)]
    inner = match_text(match)
    if inner:
        words += ["inner", inner]
    text = " ".join(words)
    if lookup:
        text += f", in {lookup}"
    if set_mark is not None:
        text += f", mark {set_mark.value if isinstance(set_mark, _Scalar) else set_mark}"
    if learn is not None:
        text += f", learned for {'replies and forwarded' if learn.direction == 'both' else learn.direction}"
    return text


def source_text(source: Addresses | TableField | AnySource) -> str:
    if isinstance(source, AnySource):
        return "any"
    return f"{source.table}.{source.field}" if isinstance(source, TableField) else addresses_text(source)


def match_text(match: Match) -> str:
    """Empty for a match without conditions."""
    words = []
    if match.source:
        words.append(f"from {addresses_text(match.source)}")
    if match.destination:
        words.append(
            addresses_text(match.destination) if not match.source else f"to {addresses_text(match.destination)}"
        )
    if match.protocol:
        words.append(",".join(PROTOCOL_NAMES.get(p, f"protocol {p}") for p in match.protocol))
    if match.source_port:
        words.append(f"from port {ranges_text(match.source_port)}")
    if match.destination_port:
        words.append(ranges_text(match.destination_port))
    if match.dscp:
        words.append("dscp " + ",".join(DSCP_NAMES.get(d, str(d)) for d in match.dscp))
    if match.mark:
        words.append(f"mark {ranges_text(match.mark, hexadecimal=True)}")
    if match.cgroup:
        words.append(f"cgroup {','.join(match.cgroup)}")
    return " ".join(words)


def addresses_text(addresses: Addresses) -> str:
    """As written: prefixes and names of sets."""
    shown = addresses.written[:MOST_PREFIXES]
    rest = len(addresses.written) - len(shown)
    return ",".join(shown) + (f",+{rest} more" if rest else "")


def ranges_text(ranges: tuple[Range, ...], hexadecimal: bool = False) -> str:
    form = hex if hexadecimal else str
    return ",".join(form(r.first) if r.first == r.last else f"{form(r.first)}-{form(r.last)}" for r in ranges)
