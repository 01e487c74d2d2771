"""Documents whose rules, lists and rows overlap: prefixes within prefixes, of both families, and all of a family."""

from __future__ import annotations

from ipaddress import ip_network
from random import Random
from typing import Any

from tests.property.spec_generator import generate

from .words import listed

PREFIXES = [
    *("0.0.0.0/0", "10.0.0.0/8", "10.128.0.0/9", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.128/25", "10.1.2.3/32"),
    *("172.16.0.0/12", "192.168.7.0/24", "128.0.0.0/1", "10.9.0.1/32"),
    *("::/0", "fd00::/8", "fd00:1::/32", "fd00:1:2::/48", "fd00:1:2:3::/64", "fd00:1:2:3::4/128", "2000::/3"),
]
WHOLE = ("0.0.0.0/0", "::/0")  # families
PREFIXES += [f"10.{n}.0.0/16" for n in range(20, 30)] + [f"fd00:{n}::/32" for n in range(20, 30)]
LENGTHS = (1, 1, 1, 2, 3, 9, 24, 30)  # more than eight of a family are looked up in a map


def overlapping(pick: Random) -> dict[str, Any]:
    """One drawn over the whole language, of which most addresses are others. The checks refuse some."""
    document = generate(pick)
    document.pop("tests", None)
    document["attach"].pop("route_device", None)  # which asks for a destination
    document["egress"].pop("boot", None)  # which allows no rule for all addresses
    for name in document.get("sets", {}):
        if pick.random() < 0.7:
            document["sets"][name] = listed(several(pick))
    for rule in document["egress"].get("rules", []):
        for word in ("destination", "source"):
            match = rule.get("match", {})
            given = word in match and str(match[word]) not in document.get("sets", {})
            if pick.random() < (0.8 if given else 0.15 if match and word not in match else 0):
                match[word] = several(pick)
        if pick.random() < 0.2:  # one family of a list that has both
            one, other = pick.sample(("destination", "source"), 2)
            rule["match"] = {
                **rule.get("match", {}),
                one: pick.choice(WHOLE),
                other: pick.sample(PREFIXES, pick.choice((4, 30))),
            }
        if "/" in str(rule.get("to", "")) and pick.random() < 0.4:
            rule["socket"] = rule.pop("to")
            document["attach"].setdefault("cgroup", "/")
    for table in document.get("endpoints", {}).values():
        _rows(pick, table)
    _received(pick, document.get("ingress", {}).get("rules", []))
    return document


def _received(pick: Random, rules: list[dict[str, Any]]) -> None:
    """More than one rule for an encapsulation, of other senders or other inner packets."""
    for rule in list(rules):
        if isinstance(rule["from"], list) and pick.random() < 0.5:
            rule["from"] = several(pick)
        if "match" in rule and pick.random() < 0.6:
            rule["match"]["destination"] = several(pick)
        if pick.random() < 0.4:
            other: dict[str, Any] = {"name": f"also-{rule['name']}"[:31], "decapsulate": rule["decapsulate"]}
            other |= {"from": pick.choice((rule["from"], several(pick))), "set_mark": pick.choice((0, 9))}
            other |= {"lookup": rule["lookup"]} if "lookup" in rule else {}
            if pick.random() < 0.7:
                other["match"] = {"protocol": pick.choice(("tcp", "udp")), "destination": several(pick)}
            rules.insert(pick.choice((0, rules.index(rule))), other)


def several(pick: Random) -> Any:
    """One prefix or a list of them, of one family or of both."""
    version = pick.choice((4, 4, 6, 0, 0))
    pool = [p for p in PREFIXES if not version or ip_network(p).version == version]
    found = pick.sample(pool, min(pick.choice(LENGTHS), len(pool)))
    return found[0] if len(found) == 1 else found


def _rows(pick: Random, table: dict[str, Any]) -> None:
    """More rows, whose prefixes are within each other."""
    key = listed(table.get("key", []))
    addresses = [word for word in key if word in ("destination", "source")]
    if not addresses or "shape" in table or pick.random() < 0.3:
        return
    rows = table["rows"]
    pool = [p for p in PREFIXES if ip_network(p).prefixlen or pick.random() < 0.3]
    pick.shuffle(pool)
    for number in range(pick.randint(len(rows), 8)):
        if number >= len(rows):
            rows.append(dict(pick.choice(rows)))
            rows[number].pop("name", None)
        rows[number][addresses[-1]] = pool[number]
    table.pop("capacity", None)
