"""The machine that tests run on: host values that a test says, and invented ones for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network

from ...common.diagnostics import Findings
from ...common.fnv import fnv1a
from ...common.manifest import HostMember
from ...common.rows import read_rows
from ...common.suggest import did_you_mean
from ...common.values import ValueProblem, parse
from ..description import Described
from ..inline_rows import check_inline_rows
from ..model import Facts, facts_of
from ..pipeline import rows_path
from ..spec import Spec
from ..spec_tests import Word

Value = int | bytes
ADDRESSES = {"ipv4": "192.0.2.77", "ipv6": "2001:db8::77"}
MAC = "02:00:00:00:00:77"
MTU = 1500
NUMBERS = ("u8", "u16", "u32", "u64")
_SEED = fnv1a("the machine of tests")


def machine_facts(spec: Spec, lowered: Described, findings: Findings) -> Facts:
    """What the programs know on this machine (T131 for what the tests say wrongly of it)."""
    given = _given(spec, findings)
    host = {m.member.name: _value(m, spec, given) for m in lowered.manifest.host_members}
    rows = {
        table.name: check_inline_rows(spec.endpoints[table.name], table, findings)
        if spec.endpoints[table.name].file is None
        else read_rows(table, str(rows_path(spec.path, str(spec.endpoints[table.name].file))), findings)
        for table in lowered.manifest.tables
    }
    lists = {s.map: lowered.prefix_files[s.file].split() for s in lowered.manifest.prefix_sets}
    prefixes = {map_: [ip_network(text) for text in lines] for map_, lines in lists.items()}
    return facts_of(lowered.manifest, host, rows, prefixes)


def _given(spec: Spec, findings: Findings) -> Mapping[str, tuple[Value, ...]]:
    found = {}
    for name, words in (spec.tests.host if spec.tests else {}).items():
        value, _, attribute = name.partition(".")
        declared = spec.host.get(value)
        if declared is None or attribute not in ("", "mtu"):
            help = did_you_mean(value, spec.host, "values are declared under `host:`; of a device there is DEVICE.mtu")
            findings.error("T131", f"there is no host value `{name}`", words[0].place, help)
            continue
        kind = "u32" if attribute else declared.type
        most = 2 if kind == "ip" else 1
        if len(words) > most:
            help = "one of each family" if kind == "ip" else "write one"
            findings.error("T131", f"`{name}` has more than {most} values", words[most].place, help)
        found[name] = tuple(v for word in words if (v := _parsed(kind, word, findings)) is not None)
    return found


def _parsed(kind: str, word: Word, findings: Findings) -> Value | None:
    if kind in ("device", "devices", "cgroup"):
        help = "leave it out: tests run on one invented device"
        findings.error("T131", f"a test cannot say which {kind.rstrip('s')} it is", word.place, help)
        return None
    try:
        return parse(kind, word.value)
    except ValueProblem as problem:
        findings.error(problem.code, problem.message, word.place, problem.help)
        return None


def _value(member: HostMember, spec: Spec, given: Mapping[str, tuple[Value, ...]]) -> Value:
    name, _, attribute = member.source.partition(".")
    kind = member.member.type
    if attribute == "mtu":
        return next((v for v in given.get(member.source, ())), MTU)
    if attribute == "mac":
        return parse("mac", MAC)
    if attribute == "ifindex":
        return 2
    if not member.member.name.startswith("value_"):
        return _loaders(member)
    for value in given.get(name, ()):
        packed = _of_family(value, member.family)
        if packed is not None:
            return packed
    declared = spec.host[name].type
    if declared == "mac":
        return parse("mac", MAC)
    if kind in NUMBERS:
        return 1
    family = member.family or ("ipv6" if kind == "ipv6" else "ipv4")
    return parse(family, ADDRESSES[family])


def _loaders(member: HostMember) -> Value:
    """What the loader itself finds out."""
    if member.source == "flow_seed":
        return _SEED
    return 0 if member.member.type in NUMBERS else bytes(member.member.size)


def _of_family(value: Value, family: str) -> Value | None:
    """One address of a value of type `ip`, in 4 or 16 bytes; None if it is of the other family."""
    if isinstance(value, int) or len(value) != 16:
        return value
    mapped = value.startswith(bytes(10) + b"\xff\xff")
    if not family:
        return value
    if mapped != (family == "ipv4"):
        return None
    return value[12:] if mapped else value
