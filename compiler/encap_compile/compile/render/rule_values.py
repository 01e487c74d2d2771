"""The values of rules as named constants, so that another value is another line and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import ir
from .conditions import Prefix, constant_name, numbered, prefix_arguments, prefix_names, range_arguments

BOTH = ("ipv4", "ipv6")


def egress_base(rule: ir.EgressRule) -> str:
    """How the constants of a rule begin."""
    return f"EGRESS_RULE_{rule.c_name}".upper()


def ingress_base(rule: ir.IngressRule) -> str:
    return f"INGRESS_RULE_{rule.c_name}".upper()


def connect_base(rule: ir.ConnectRule) -> str:
    return f"CONNECT_RULE_{rule.c_name}".upper()


def sender_constants(rule: ir.IngressRule, program: ir.Program) -> dict[Prefix, str]:
    """The constants of all prefixes that a rule's `from` lists; a decapsulation over one family knows only its own."""
    senders = [r.senders for r in program.ingress_rules if r.name == rule.name]
    compared = [found for found in senders if isinstance(found, ir.SourcePrefixes)]
    if not compared:
        return {}
    prefixes = list(dict.fromkeys(p for found in compared for p in found.prefixes))
    names = prefix_names(prefixes, compared[0].sets, constant_name(ingress_base(rule), "from"), program)
    return dict(zip(prefixes, names, strict=True))


def length_constants(table: ir.TableMap) -> dict[int, str]:
    """The constants of the prefix lengths that a table promises, longest first as they are tried."""
    lengths = sorted({length for _, length in table.prefix_lengths}, reverse=True)
    return {length: numbered(f"PREFIX_LENGTH_{table.name}".upper(), i) for i, length in enumerate(lengths)}


def set_mark_constant(rule: ir.IngressRule) -> str:
    return constant_name(ingress_base(rule), "set_mark")


def rule_values(program: ir.Program) -> list[ir.ConstantGroup]:
    """Those of sets that rules name, of tables that rules look into, and of each rule that has any, as in the spec."""
    groups: dict[str, dict[str, str]] = {f"sets.{s.name}": {} for s in program.sets}
    steps = (step for rule in program.egress.rules for step in rule.steps)
    looked_up = {step.find.table for step in steps if isinstance(step, ir.LookUp)}
    for table in (t for t in program.tables if t.name in looked_up):
        groups[f"{table.place}.shape"] = {name: str(length) for length, name in length_constants(table).items()}
    for egress in program.egress.rules:
        groups[egress.place] = _conditions(egress_base(egress), egress.conditions, program)
    for rule in {rule.name: rule for rule in program.ingress_rules}.values():
        names = sender_constants(rule, program)
        found = _prefixes(list(names), list(names.values()), BOTH)
        groups[rule.place] = found | _conditions(ingress_base(rule), rule.match, program)
        if rule.mark and isinstance(rule.mark.value, ir.Literal):
            groups[rule.place][set_mark_constant(rule)] = f"{rule.mark.value.value:#x}"
    for connect in program.attribution.connects if program.attribution else ():
        groups[connect.place] = _conditions(connect_base(connect), connect.conditions, program)
    return [group for group in _with_sets(groups, program) if group.constants]


def _with_sets(groups: dict[str, dict[str, str]], program: ir.Program) -> Iterator[ir.ConstantGroup]:
    """The groups, with what is a set's in the set's: once, however many rules name it."""
    for s in program.sets:
        begin = f"SET_{s.c_name}".upper()
        names = [numbered(begin, i) for i in range(len(s.prefixes))]
        everywhere = {name: value for group in groups.values() for name, value in group.items()}
        own = {name: everywhere[name] for name in names if name in everywhere}
        for group in groups.values():
            for name in own:
                group.pop(name, None)
        groups[f"sets.{s.name}"] = own
    for title, group in groups.items():
        yield ir.ConstantGroup(title, tuple(ir.NamedConstant(name, value, "") for name, value in group.items()))


def _conditions(base: str, conditions: Sequence[ir.Condition], program: ir.Program) -> dict[str, str]:
    found: dict[str, str] = {}
    for condition in conditions:
        if isinstance(condition, ir.InPrefixes):
            names = prefix_names(condition.prefixes, condition.sets, constant_name(base, condition.member), program)
            found |= _prefixes(condition.prefixes, names, program.packet.families)
        elif isinstance(condition, ir.InRanges):
            name = constant_name(base, condition.member)
            for i, numbers in enumerate(condition.ranges):
                found[numbered(name, i)] = range_arguments(condition.member, *numbers)
    return found


def _prefixes(prefixes: Sequence[Prefix], names: Sequence[str], families: Sequence[str]) -> dict[str, str]:
    whole = {p.version for p in prefixes if p.prefixlen == 0}  # of that family, none is compared
    return {
        name: prefix_arguments(prefix)
        for name, prefix in zip(names, prefixes, strict=True)
        if prefix.version not in whole and f"ipv{prefix.version}" in families
    }
