"""The state as release 0.1.0 reads it, so that going back to it keeps counters, rows and hooks.

That release refuses a state with a member that it does not know, or without one that it needs, takes it for none, and
counts again. So its members are listed here, those that a manifest of today no longer has are empty, and counters have
the names that it knows. It reads one value of the map of counters: of several it finds what stands in the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ...common.manifest_bounds import MOST_COUNTERS
from .state import State, Totals

FORMAT_VERSION = 1
_STATE = """
manifest object_sha256 applied_at attach host host_file settings devices counter_layouts carried namespace_cookie
boot_id bpffs bpffs_instance cgroup cgroups former replaces filled pins
"""
_FILLED = "kind table count digest file sha256 origin rows"

# Each record's members; `member:Record` where it holds one, or a list of them.
_RECORDS = {
    "Manifest": "format_version name summary identity kernel features next_hop host:HostDeclaration attach "
    "host_layout:Layout host_members:HostMember tables:Table source_sets:SourceSet prefix_sets:PrefixSet own_addresses "
    "counters_size counters:Counter stacks:Stack rules:RuleSummary programs:Hooked max_overhead toolchain:Toolchain "
    "inputs:Inputs files flows cgroup cgroups:Cgroup cgroup_map contract replies:Reply signatures boot sockets",
    "HostDeclaration": "name type default",
    "Layout": "size members:Member",
    "Member": "name type offset size",
    "HostMember": "member:Member source family required_for own",
    "Table": "name map kind capacity columns:KeyColumn fields encapsulations family_field stacks:Stack key:Layout "
    "value:Layout file needs",
    "KeyColumn": "name type families prefix_lengths",
    "Stack": "id name encapsulation outer_family overhead per_segment",
    "SourceSet": "map table field key:Layout capacity",
    "PrefixSet": "map name file families key:Layout capacity",
    "Counter": "name offset kind text place formerly",
    "RuleSummary": "name direction text place destinations table row digest action match on_miss more_tables fits_tcp",
    "Hooked": "program hook section",
    "Toolchain": "name version source flags",
    "Inputs": "spec spec_sha256 files compiler compiler_sha256",
    "Cgroup": "path bit hooks place",
    "Reply": "arriving stacks",
}
_EMPTY: dict[str, Any] = {"place": ""}
_NO_HEADROOM, _NO_HEADROOM_OF_0_1 = "egress_no_headroom", "egress_no_room"
_PULL_FAILED, _PULL_FAILED_OF_0_1 = "__pull_failed", "__room"  # behind `refused_ENCAPSULATION`


def document_of_0_1(state: State) -> dict[str, Any]:
    """All but the format version."""
    now = asdict(state)
    found = {name: now[name] for name in _STATE.split()}
    found["filled"] = {name: {m: filled[m] for m in _FILLED.split()} for name, filled in now["filled"].items()}
    found["carried"] = {number: _totals(totals) for number, totals in now["carried"].items()}
    found["counter_layouts"] = {
        layout: {_counter_name(name): offset for name, offset in offsets.items() if offset < MOST_COUNTERS}
        for layout, offsets in now["counter_layouts"].items()
    }
    if state.manifest is not None:
        manifest = _record("Manifest", now["manifest"])
        first = [c for c in manifest["counters"] if c["offset"] < state.manifest.counters_size]
        found["manifest"] = {**manifest, "counters": first, "format_version": FORMAT_VERSION}
    return found


def _counter_name(name: str) -> str:
    if name == _NO_HEADROOM:
        return _NO_HEADROOM_OF_0_1
    if name.startswith("refused_") and name.endswith(_PULL_FAILED):
        return f"{name.removesuffix(_PULL_FAILED)}{_PULL_FAILED_OF_0_1}"
    return name


def _totals(totals: Totals) -> Totals:
    """Under the names of 0.1.0. What was counted before an upgrade may still be under them, and is added."""
    found: Totals = {}
    for name, (packets, size) in totals.items():
        before = found.get(_counter_name(name), (0, 0))
        found[_counter_name(name)] = (before[0] + packets, before[1] + size)
    return found


def _record(kind: str, now: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in _RECORDS[kind].split():
        name, _, inner = word.partition(":")
        value = now[name] if name in now else _EMPTY[name]
        found[name] = _inner(inner, value) if inner else value
    if kind == "Counter":
        found["name"] = _counter_name(found["name"])
        found["formerly"] = found["formerly"] if found["formerly"] != found["name"] else ""
    return found


def _inner(kind: str, value: Any) -> Any:
    return [_record(kind, each) for each in value] if isinstance(value, (list, tuple)) else _record(kind, value)
