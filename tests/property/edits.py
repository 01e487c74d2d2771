"""Edits of specs, drawn over the whole language: another value, something less, something more."""

from __future__ import annotations

import copy
import ipaddress
import random
import re
from collections import Counter
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.support.artifacts import artifacts

from .spec_words import words

Document = dict[str, Any]
Place = tuple[Any, ...]
DSCP = {"ef": 46, "cs1": 8}


class Lines(NamedTuple):
    """What is reviewed: the C, and the manifest without the commas that only say that more follows."""

    c: list[str]
    manifest: list[str]


class Difference(NamedTuple):
    added: list[str]
    removed: list[str]


def lines_of(document: Document, folder: Path) -> Lines:
    """Raises DiagnosedError."""
    path = folder / f"{document['name']}.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False, width=100))
    texts = artifacts(path)
    manifest = [line.removesuffix(",") for line in texts["manifest.json"].splitlines()]
    return Lines(texts[f"{document['name']}.bpf.c"].splitlines(), manifest)


def gone(before: list[str], after: list[str]) -> list[str]:
    """The lines of `before` that `after` does not have, or in another order: none, if others were only added."""
    rest = iter(after)
    if all(line in rest for line in before):
        return []
    found = difference(before, after)
    lost = Counter(found.removed) - Counter(found.added)
    return [line for line in found.removed if line in lost] or ["others in another order"]


def difference(before: list[str], after: list[str]) -> Difference:
    lines = list(unified_diff(before, after, n=0, lineterm=""))[2:]
    return Difference(
        [line[1:].strip() for line in lines if line.startswith("+")],
        [line[1:].strip() for line in lines if line.startswith("-")],
    )


# ---- another value ---------------------------------------------------------------------------------------------------


def leaves(value: Any, path: Place = ()) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*path, key))
    else:
        yield path, value


def at(document: Any, path: Place) -> Any:
    for key in path:
        document = document[key]
    return document


def edited(document: Any, path: Place, value: Any) -> Any:
    changed = copy.deepcopy(document)
    at(changed, path[:-1])[path[-1]] = value
    return changed


def another(value: Any) -> Any:
    """Another value of the same kind, or None of what names something."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int):
        return value + 1
    if match := re.fullmatch(r"(\d+)(ms|s|m|h)", value):
        return f"{int(match[1]) + 1}{match[2]}"
    if match := re.fullmatch(r"(\d+|0x[0-9a-f]+)-(\d+|0x[0-9a-f]+)", value):
        return f"{match[1]}-{int(match[2], 0) + 1}"
    if re.fullmatch(r"0x[0-9a-f]+", value):
        return f"{int(value, 16) ^ 1:#0{len(value)}x}"
    if re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", value):
        return f"{value[:-2]}{(int(value[-2:], 16) + 1) % 256:02x}"
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        return None
    # The last bit of the prefix, so that the same words are compared.
    number = int(network.network_address) ^ 1 << (network.max_prefixlen - network.prefixlen)
    other = type(network)((number, network.prefixlen))
    return str(other) if "/" in value else str(other.network_address)


def said_twice(document: Document, path: Place, value: Any, other: Any) -> bool:
    """Whether the list has the one or the other a second time: what is there twice is compared once."""
    siblings = at(document, path[:-1])
    if not isinstance(siblings, list):
        return False
    rest = [DSCP.get(s, s) for i, s in enumerate(siblings) if i != path[-1]]
    for name in siblings:  # a set beside prefixes
        rest += document.get("sets", {}).get(name, []) if isinstance(name, str) else []
    return DSCP.get(value, value) in rest or DSCP.get(other, other) in rest


# ---- something less --------------------------------------------------------------------------------------------------


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _table(target: str) -> str:
    return target.partition("/")[0]


def _without_what_names_nothing(document: Document) -> Document:
    """Tables, and rules of all kinds, go with what they lead to."""
    before = ""
    while before != repr(document):
        before = repr(document)
        ways, tables = document.get("encapsulations", {}), document.get("endpoints", {})
        for name, table in list(tables.items()):
            if "encapsulation" in table and not set(_listed(table["encapsulation"])) <= set(ways):
                del tables[name]
        received = document.get("ingress", {}).get("rules", [])
        received[:] = [r for r in received if r["decapsulate"] in ways and r.get("lookup", "") in ("", *tables)]
        received[:] = [r for r in received if not _names_field(r["from"]) or r["from"].partition(".")[0] in tables]
        learned = {rule["name"] for rule in received if "learn" in rule}
        rules = document["egress"]["rules"]
        rules[:] = [r for r in rules if {_table(t) for t in _targets(r)} <= set(tables)]
        rules[:] = [r for r in rules if r.get("reflect", "") in ("", *learned) and r.get("with", "") in ("", *ways)]
        connects = document.get("connect", {}).get("rules", [])
        connects[:] = [r for r in connects if _table(r.get("choose", "")) in ("", *tables)]
        for part, found in (("connect", connects), ("ingress", received)):
            if part in document and not found:
                del document[part]
    return document


def _names_field(source: Any) -> bool:
    return isinstance(source, str) and source != "any" and "/" not in source


def _targets(rule: Document) -> list[str]:
    return [*([rule["to"]] if "to" in rule else []), *_listed(rule.get("socket", []))]


def less(document: Document) -> Iterator[tuple[str, Document]]:
    """A kind, and the document without one of it and of what needs it."""

    def without(*path: Any) -> Document:
        changed = copy.deepcopy(document)
        del at(changed, path[:-1])[path[-1]]
        return _without_what_names_nothing(changed)

    for direction in ("egress", "ingress", "connect"):
        for i in range(len(document.get(direction, {}).get("rules", ()))):
            yield f"{direction} rule", without(direction, "rules", i)
    for name in document.get("encapsulations", {}):
        yield "encapsulation", without("encapsulations", name)
    for name, table in document.get("endpoints", {}).items():
        yield "table", without("endpoints", name)
        for i in range(len(table.get("rows", ()))):
            yield "compiled row" if table.get("fixed") else "row", without("endpoints", name, "rows", i)


def more(document: Document, pick: random.Random) -> Iterator[tuple[str, Document]]:
    """A kind, and the document with one of it more anywhere: a rule like another one, under a name of its own."""
    for direction in ("egress", "ingress", "connect"):
        rules = document.get(direction, {}).get("rules", [])
        for rule in rules:
            copied = {word: part for word, part in copy.deepcopy(rule).items() if word not in ("was", "learn")}
            changed = copy.deepcopy(document)
            changed[direction]["rules"].insert(pick.randint(0, len(rules)), copied | {"name": "zz-inserted"})
            yield f"{direction} rule", changed


def asked(document: Document) -> set[Any]:
    """What a spec asks for: what only one part of it asks for brings lines of its own that others are said in."""
    sets = document.get("sets", {})
    found: set[Any] = set(words(document))
    first: dict[str, Any] = {}
    for rule in document["egress"]["rules"]:
        match = rule["match"]
        lists = [
            [p for a in _listed(match[w]) for p in sets.get(a, [a])] for w in ("destination", "source") if w in match
        ]
        families = tuple(f for f in (False, True) if all(f in {":" in p for p in prefixes} for prefixes in lists))
        found |= {("leads to", _table(t), f) for t in _targets(rule) for f in families}
        found |= {("family", f) for f in families} | {("cgroup", c) for c in _listed(rule["match"].get("cgroup", []))}
        found |= {("answers", rule[word], families) for word in ("reflect", "with") if word in rule}
    # What is learned of a packet is kept in the order of the rules that put it back.
    answers = [(r["reflect"], r.get("with", "")) for r in document["egress"]["rules"] if "reflect" in r]
    found.add(("put back in this order", tuple(dict.fromkeys(answers))))
    for direction in ("egress", "ingress", "connect"):
        for rule in document.get(direction, {}).get("rules", ()):
            matches = [rule.get("match", {}).get(word, []) for word in ("destination", "source")]
            found |= {
                ("list", repr(a)) for match in [*matches, rule.get("from", [])] for a in _listed(match) if a in sets
            }
            for match in (*matches, rule.get("from", [])):
                if len(_listed(match)) > 8:  # a map, which has the name of the first rule with that list
                    first.setdefault(repr(match), (direction, rule["name"]))
            found |= {("in", rule[word]) for word in ("decapsulate", "lookup") if word in rule}
            if _names_field(rule.get("from", [])):
                found.add(("field", rule["from"]))
    return found | set(first.items())
