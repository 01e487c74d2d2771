"""Programs that are wrong in one thing: what a test that compares must notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any, NamedTuple

from encap_compile.compile import ir

ACTIONS = {"pass": "drop", "drop": "pass"}
OVERHEADS = ("OVERHEAD_",)


class Mutation(NamedTuple):
    """`name` says where and what."""

    name: str
    program: ir.Program


def _shorter(prefixes: Any) -> Any:
    """One prefix half as long: the first half."""
    first = prefixes[0]
    longer = first.prefixlen + 1 if first.prefixlen < first.max_prefixlen else first.prefixlen
    changed = ip_network((int(first.network_address), longer)) if first.version == 4 else _six(first, longer)
    return (changed if longer != first.prefixlen else first.supernet(), *prefixes[1:])


def _six(prefix: Any, length: int) -> Any:
    return ip_network(f"{prefix.network_address}/{length}")


def _wider(ranges: Any) -> Any:
    (first, last), *rest = ranges
    return ((first, last + 1), *rest)


def _later(ranges: Any) -> Any:
    (first, last), *rest = ranges
    return ((first + 1, max(first + 1, last)), *rest)


def _without_first(items: Any) -> Any:
    return items[1:]


def _turned(items: Any) -> Any:
    return tuple(reversed(items)) if len(items) > 1 else items


def _flipped(value: Any) -> Any:
    return not value


def _one_more(value: Any) -> Any:
    return value + 1


def _missed(value: Any) -> Any:
    return ir.Verdict.NEXT if value is ir.Verdict.DROP else ir.Verdict.DROP


def _ended(value: Any) -> Any:
    return {ir.Verdict.DROP: ir.Verdict.PASS, ir.Verdict.NEXT: ir.Verdict.NEXT}.get(value, ir.Verdict.DROP)


def _none(value: Any) -> Any:
    return type(value)()


# (record, member) -> what is done to it. A record that is not here is as it was.
MUTATORS: dict[tuple[type, str], tuple[Callable[[Any], Any], ...]] = {
    (ir.InPrefixes, "prefixes"): (_shorter, _without_first),
    (ir.InRanges, "ranges"): (_wider, _later),
    (ir.InRanges, "unseen"): (_flipped,),
    (ir.Miss, "shown"): (_missed,),
    (ir.Miss, "hidden"): (_missed,),
    (ir.Miss, "keeps"): (_flipped,),
    (ir.LookUp, "skips_lost"): (_flipped,),
    (ir.Ending, "verdict"): (_ended,),
    (ir.EgressRule, "conditions"): (_without_first,),
    (ir.EgressProgram, "rules"): (_without_first, _turned),
    (ir.EgressProgram, "next_hop"): (lambda hop: next(other for other in ir.NextHop if other is not hop),),
    (ir.OwnStacks, "signatures"): (_none,),
    (ir.OwnStacks, "endpoints"): (_none,),
    (ir.EgressProgram, "before"): (_none, _without_first),
    (ir.PassedBefore, "kinds"): (_without_first,),
    (ir.EgressProgram, "fragments"): (_none,),
    (ir.Encapsulator, "clamp"): (_flipped,),
    (ir.Encapsulator, "case"): (lambda case: f"{case}_",),
    (ir.FromFlow, "first"): (lambda first: first + 1 if first else first,),
    (ir.IngressProgram, "refuse"): (lambda refuse: ir.OnRefusal(ACTIONS[refuse]),),
    (ir.IngressProgram, "families"): (_without_first,),
    (ir.IngressProgram, "before"): (_none,),
    (ir.Recognition, "protocols"): (lambda protocols: (protocols[0] + 1, *protocols[1:]),),
    (ir.Recognition, "own"): (_without_first,),
    (ir.Recognition, "marks"): (_none,),
    (ir.Port, "number"): (_one_more,),
    (ir.OuterHeader, "checks"): (_without_first,),
    (ir.OuterHeader, "checksum"): (_flipped,),
    (ir.Decapsulation, "checks"): (_without_first, lambda checks: checks[:-1]),
    (ir.Decapsulation, "lengths"): (_none,),
    (ir.Decapsulation, "follows"): (lambda _: ir.Follows.NOBODY,),
    (ir.Decapsulation, "rules"): (_without_first,),
    (ir.Decapsulation, "then"): (_without_first, lambda then: then[:-1]),
    (ir.Refuse, "reason"): (lambda _: "length",),
    (ir.RefuseBySource, "unlisted"): (lambda _: "match",),
    (ir.RefuseBySource, "unmatched"): (lambda _: "source",),
    (ir.NamedByOuter, "numbers"): (lambda n: n._replace(ipv4=n.ipv6, ipv6=n.ipv4),),
    (ir.NamedByField, "numbers"): (lambda n: n._replace(ipv4=n.ipv6, ipv6=n.ipv4),),
    (ir.NamedByField, "tagged"): (_flipped,),
    (ir.WordCheck, "mask"): (_none,),
    (ir.WordCheck, "reason"): (lambda _: "length",),
    (ir.ReceivedField, "shift"): (_one_more,),
    (ir.SourcePrefixes, "prefixes"): (_without_first,),
    (ir.SourceMap, "family"): (_none,),
    (ir.IngressRule, "match"): (_none,),
    (ir.IngressRule, "steps"): (_without_first, _none),
    (ir.SetMark, "value"): (lambda _: ir.Literal(5),),
    (ir.Learn, "fields"): (_without_first,),
    (ir.Learn, "directions"): (
        lambda found: (ir.LearnFor.FORWARDED if found == (ir.LearnFor.REPLIES,) else ir.LearnFor.REPLIES,),
    ),
    (ir.Fit, "answers"): (_none,),
    (ir.Fit, "remembers"): (_flipped,),
    (ir.Answer, "conditions"): (_without_first,),
    (ir.Option, "head"): (lambda head: head ^ 1 << 8,),
}


def mutations(program: ir.Program) -> Iterator[Mutation]:
    for name in ("egress", "ingress", "fit"):
        part = getattr(program, name)
        if part is None:
            continue
        for what, changed in _changed(part, name):
            yield Mutation(what, program._replace(**{name: changed}))
    for group_at, group in enumerate(program.constants):
        for at, constant in enumerate(group.constants):
            if constant.name.startswith(OVERHEADS):
                more = constant._replace(value=str(int(constant.value) + 1))
                constants = (*group.constants[:at], more, *group.constants[at + 1 :])
                groups = (
                    *program.constants[:group_at],
                    group._replace(constants=constants),
                    *program.constants[group_at + 1 :],
                )
                yield Mutation(f"{constant.name} + 1", program._replace(constants=groups))


SAID_ELSEWHERE = (
    (ir.EgressProgram, "encapsulators"),  # in the dispatches
    (ir.EgressRule, "shared"),  # in the conditions
    (ir.OuterHeader, "stack"),  # what is received is compared as `checks` say
)


def _changed(record: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every record that differs in one thing, with where it does."""
    for member in record._fields:
        if (type(record), member) in SAID_ELSEWHERE:
            continue
        value = getattr(record, member)
        for number, mutate in enumerate(MUTATORS.get((type(record), member), ()) if value else ()):
            changed = mutate(value)
            if changed != value:
                yield f"{path}.{member}{f' #{number}' if number else ''}", record._replace(**{member: changed})
        if hasattr(value, "_fields"):
            for what, inner in _changed(value, f"{path}.{member}"):
                yield what, record._replace(**{member: inner})
        elif isinstance(value, tuple):
            for at, item in enumerate(value):
                if not hasattr(item, "_fields"):
                    continue
                label = getattr(item, "name", getattr(item, "function", at))
                for what, inner in _changed(item, f"{path}.{member}.{label}"):
                    yield what, record._replace(**{member: (*value[:at], inner, *value[at + 1 :])})
    yield from _literal(record, path)


def _literal(record: Any, path: str) -> Iterator[tuple[str, Any]]:
    """A value of the spec that is another. What the protocol fixes has no place: the encoder knows it for itself."""
    if isinstance(record, ir.Literal) and record.place:
        yield f"{path} ^ 1", record._replace(value=record.value ^ 1)
