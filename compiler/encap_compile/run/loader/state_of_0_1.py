"""The state as release 0.1.0 reads it, so that going back to it keeps counters, rows and hooks.

That release refuses a state with a member that it does not know, or without one that it needs, takes it for none, and
counts anew. So its members are listed here, and those that a manifest of today has no more are empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .state import State

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


def document_of_0_1(state: State) -> dict[str, Any]:
    """All but the format version."""
    now = asdict(state)
    found = {name: now[name] for name in _STATE.split()}
    found["filled"] = {name: {m: filled[m] for m in _FILLED.split()} for name, filled in now["filled"].items()}
    if state.manifest is not None:
        found["manifest"] = {**_record("Manifest", now["manifest"]), "format_version": FORMAT_VERSION}
    return found


def _record(kind: str, now: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for word in _RECORDS[kind].split():
        name, _, inner = word.partition(":")
        value = now[name] if name in now else _EMPTY[name]
        found[name] = _inner(inner, value) if inner else value
    return found


def _inner(kind: str, value: Any) -> Any:
    return [_record(kind, each) for each in value] if isinstance(value, (list, tuple)) else _record(kind, value)
