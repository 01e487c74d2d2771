"""Identifiers of the C that are derived from the spec.

Every identifier that is derived from the spec has the form of its kind: it begins with one of `PREFIXES`, or it ends
with one of `SUFFIXES`. No other identifier of the C, of clang or of the language does. Where two names, or a name and a
word of ours, make one identifier, `__` stands between them, which `c_name` never makes; after it stands a word of ours,
or a stack's name, which ends with its family. So identifiers are different where names are, and a name can be any.
"""

from __future__ import annotations

from re import compile as pattern

from ..common.fnv import fnv1a

PREFIXES = (
    "decapsulate_", "encapsulate_", "find_in_", "has_addresses_of_", "in_list_", "in_peer_", "in_set_", "learn_rule_",
    "looks_like_", "matches_", "may_send_", "reflect_",  # functions and labels
    "list_", "peer_", "row_", "set_", "table_",  # maps, rows, pointers to rows
    "headers_", "key_", "options_", "prefix_of_", "stack_",  # structs
    "field_", "option_", "received_", "value_",  # their members
    "connect_rule_", "egress_miss_", "egress_rule_", "ingress_rule_", "refused_",  # counters
    "CAPACITY_", "CGROUP_BIT_", "CONNECT_RULE_", "EGRESS_RULE_", "ENCAP_", "IDLE_LEARN_", "INGRESS_RULE_",
    "LEARN_", "OVERHEAD_", "PREFIX_LENGTH_", "ROW_", "SET_", "STACK_", "TABLE_",  # constants
)  # fmt: skip
SUFFIXES = (
    "__connect4", "__connect6", "__create", "__egress", "__getsockopt", "__ingress", "__listener",
    "__route_device_ingress", "__setsockopt", "__unattached",
)  # fmt: skip
_PLAIN = pattern(r"[a-z0-9]+(_[a-z0-9]+)*")


def c_name(name: str) -> str:
    """A name of the spec within an identifier: without `__`, and without `_` at the end."""
    plain = member_name(name)
    if _PLAIN.fullmatch(plain):
        return plain
    return f"{'_'.join(part for part in plain.split('_') if part)}_{fnv1a(plain):08x}"


def member_name(name: str) -> str:
    """A name of the spec, or a word of the language, as the manifest calls a member."""
    return name.replace("-", "_").replace(".", "_")
