"""A small edit of a spec is a small change of what is reviewed: one value one line of the C, and what is inserted adds
lines of its own to the C and the manifest.

All values of all examples are edited, and many of specs over the whole language; rules, rows, tables and encapsulations
are inserted wherever they can stand. ENCAP_EDITS is from how many drawn specs; a number beside it, as in 500:7, is
where the random numbers begin.
"""

from __future__ import annotations

import copy
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from encap_compile.common.diagnostics import DiagnosedError
from tests.support.artifacts import EXAMPLES, artifacts, beside_examples

from .edits import (
    Document,
    Lines,
    Place,
    another,
    asked,
    at,
    difference,
    edited,
    gone,
    leaves,
    less,
    lines_of,
    more,
    said_twice,
)
from .spec_generator import generate

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
COUNT, _, FIRST = os.environ.get("ENCAP_EDITS", "40").partition(":")
OF_EACH = 10  # edits of a drawn spec

# Values that change more than a line, and why. Each is tested to be needed.
VALUES: Mapping[str, Callable[[Document, Place, Any, Any], bool]] = {
    "what a list says twice is compared once": said_twice,
    "IPv4 has no prefix length beyond 32": lambda _, path, value, other: (
        "prefix_lengths" in path and (value <= 32) != (other <= 32)
    ),
    "a variant of a header has other words": lambda _, path, value, other: path[-1] == "variant",
}
# Lines that say something of all parts together, and why. Each is tested to be needed.
SHARED: Mapping[str, str] = {
    r"#define CGROUP_NAMES ": "which bit is which cgroup's: recorded sets are worth nothing under another list",
    r"#define CGROUP_LEVELS ": "how deep the cgroups of all rules lie",
    r"#define CHOOSING_CGROUPS|\(?CGROUP_BIT_\w+( \||\)$)": "the cgroups of all rules whose sockets choose",
    r"#define CONNECT_NESTED ": "whether connect programs run within one another",
    r"#define FLOW_BUCKETS ": "one table of flows for all rules that learn",
    r'#include "encap_arrivals.h"|#define FIT_|fit_leaving\(|record_arrival\(|/\* What rules ask ': "answers that fit",
    r'"place": ': "a cgroup has the place of the first rule that names it",
}
# What all parts of a program share may grow: whether fitting looks at packets, how much is read of outer headers.
GROWS = re.compile(r"#define FIT_MATCHES |\(void\)packet;|if \(!read_outer\(")


def c_of(document: Any, folder: Path) -> list[str]:
    return lines_of(document, folder).c


def own(removed: list[str]) -> list[str]:
    return [line for line in removed if not GROWS.match(line)]


def not_shared(lines: list[str]) -> list[str]:
    return [line for line in lines if not any(re.match(pattern, line) for pattern in SHARED)]


@pytest.mark.parametrize("name", NAMES)
def test_one_value_is_one_line(tmp_path: Path, name: str) -> None:
    beside_examples(tmp_path)
    document = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    before = c_of(document, tmp_path)
    tried = 0
    for path, value in leaves(document):
        other = another(value)
        if other is None or path[0] in ("kernel", "tests"):
            continue
        try:
            found = difference(before, c_of(edited(document, path, other), tmp_path))
        except DiagnosedError:
            continue  # another value is wrong here, as a key that is there already
        tried += 1
        assert len(found.added) == len(found.removed) <= 1, (path, value, other, found)
    assert tried


@pytest.mark.parametrize("name", NAMES)
def test_the_oldest_kernel_is_said_twice(tmp_path: Path, name: str) -> None:
    """At the top and as a constant, and neither moves the words around it."""
    beside_examples(tmp_path)
    document = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    found = difference(*(c_of(edited(document, ("kernel",), kernel), tmp_path) for kernel in ("6.9", "6.12")))
    assert len(found.added) == len(found.removed) == 2, found


def inserted(document: Any, path: Place, place: int, value: Any) -> Any:
    changed = copy.deepcopy(document)
    at(changed, path).insert(place, value)
    return changed


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("gue-dsr",)])  # a preset has its own rules
def test_an_inserted_rule_adds_its_lines(tmp_path: Path, name: str) -> None:
    beside_examples(tmp_path)
    document = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    before = c_of(document, tmp_path)
    rule = {"name": "inserted", "match": {"destination": "198.51.100.0/24"}, "action": "drop"}
    for place in range(len(document["egress"]["rules"]) + 1):
        found = difference(before, c_of(inserted(document, ("egress", "rules"), place, rule), tmp_path))
        assert found.added and own(found.removed) == [], (place, found)
        assert any("egress.rules.inserted" in line for line in found.added)


def inline_tables() -> Iterator[tuple[str, str]]:
    for name in NAMES:
        for table, body in yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text()).get("endpoints", {}).items():
            if "rows" in body:
                yield name, table


@pytest.mark.parametrize(("name", "table"), tuple(inline_tables()))
def test_an_inserted_row_changes_no_c(tmp_path: Path, name: str, table: str) -> None:
    """Nor the manifest: rows are data."""
    beside_examples(tmp_path)
    path = tmp_path / f"{name}.yaml"
    document = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    body = document["endpoints"][table]
    row = dict(body["rows"][0])
    keys = ["name"] if "key" not in body else body["key"] if isinstance(body["key"], list) else [body["key"]]
    for key in keys:
        row[key] = {"name": "inserted", "destination": "198.51.100.0/24", "cgroup": "inserted.slice"}.get(key, 4711)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    before = artifacts(path)
    for place in range(len(body["rows"]) + 1):
        path.write_text(yaml.safe_dump(inserted(document, ("endpoints", table, "rows"), place, row), sort_keys=False))
        after = artifacts(path)
        changed = {file for file in after if after[file] != before.get(file)}
        contract = {f"{name}.h", f"{name.replace('-', '_')}.py"}  # names the rows that may be chosen
        assert f"{table}.csv" in changed and changed <= {f"{table}.csv", *contract}, changed


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("gue-dsr",)])
def test_an_inserted_encapsulation_adds_its_lines(tmp_path: Path, name: str) -> None:
    """With a rule that decapsulates it: no other part of the program is said in other words."""
    beside_examples(tmp_path)
    document = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    if "ingress" not in document:
        pytest.skip("it receives nothing")
    before = c_of(document, tmp_path)
    other = copy.deepcopy(document)
    address = next(
        h for h, kind in document["host"].items() if "ip" in (kind if isinstance(kind, str) else kind["type"])
    )
    header = {"source": f"host.{address}", "destination": "192.0.2.99"}
    other["encapsulations"]["zz-new"] = [
        {"ipv4": header},
        {"udp": {"source_port": "flow", "destination_port": 4711, "checksum": "zero"}},
        {"vxlan": {"vni": 77}},
        {"ethernet": {"source": "02:00:00:00:00:01", "destination": "02:00:00:00:00:02"}},
    ]
    other["ingress"]["rules"].append({"name": "new-back", "decapsulate": "zz-new", "from": "192.0.2.99/32"})
    found = difference(before, c_of(other, tmp_path))
    assert found.added and own(found.removed) == [], found


@cache
def drawn() -> list[tuple[random.Random, Document]]:
    picks = [random.Random(f"{FIRST}{n}") for n in range(int(COUNT))]
    return [(pick, dict(generate(pick))) for pick in picks]


def compiled(document: Document, folder: Path) -> Lines | None:
    try:
        return lines_of(document, folder)
    except DiagnosedError:
        return None  # what was drawn, or what became of it, is wrong


def test_one_value_of_any_spec(tmp_path: Path) -> None:
    tried = 0
    for pick, document in drawn():
        before = compiled(document, tmp_path)
        if before is None:
            continue
        found = [(path, value) for path, value in leaves(document) if another(value) is not None]
        found = [(path, value) for path, value in found if path[0] not in ("kernel", "tests")]
        for path, value in pick.sample(found, min(OF_EACH, len(found))):
            other = another(value)
            if any(excepted(document, path, value, other) for excepted in VALUES.values()):
                continue
            after = compiled(edited(document, path, other), tmp_path)
            if after is not None:
                tried += 1
                changed = difference(before.c, after.c)
                assert len(changed.added) == len(changed.removed) <= 1, (path, value, changed, document)
    assert tried > 2 * int(COUNT)


def test_what_is_inserted_into_any_spec_adds_its_lines(tmp_path: Path) -> None:
    """To the C and to the manifest. What asks for something that nothing else does brings more: that is left out."""
    tried: Counter[str] = Counter()
    for pick, document in drawn():
        known = compiled(document, tmp_path)
        if known is None:
            continue
        pairs = [(kind, small, document) for kind, small in less(document)]
        pairs += [(kind, document, large) for kind, large in more(document, pick)]
        pairs = [(kind, small, large) for kind, small, large in pairs if asked(small) == asked(large)]
        for kind, small, large in pick.sample(pairs, min(OF_EACH, len(pairs))):
            before, after = (known if d is document else compiled(d, tmp_path) for d in (small, large))
            if before is None or after is None:
                continue
            tried[kind] += 1
            for lines, others in ((before.c, after.c), (before.manifest, after.manifest)):
                assert not_shared(gone(lines, others)) == [], (kind, gone(lines, others), small, large)
    assert {"egress rule", "row", "compiled row"} <= set(tried), tried


HEAD = {
    "apiVersion": "encap/v1alpha1",
    "name": "made",
    "host": {"uplink": "device", "vtep": {"type": "ip", "default": "uplink.address"}},
    "attach": {"devices": ["host.uplink"], "cgroup": "/"},
    "encapsulations": {"ipip": [{"ipv4": {"source": "host.vtep", "destination": "endpoint.address"}}]},
    "endpoints": {
        "sites": {
            "fields": {"address": "ipv4"},
            "encapsulation": "ipip",
            "rows": [{"name": "a", "address": "192.0.2.1"}],
        }
    },
}


def with_rules(*rules: Document, **more: Any) -> Document:
    named = [{"name": f"rule-{i}", **rule} for i, rule in enumerate(rules)]
    return {**copy.deepcopy(HEAD), "egress": {"rules": named, "default": "pass"}, **more}


def to_sites(**match: Any) -> Document:
    return {"match": {"destination": "10.0.0.0/8", **match}, "to": "sites/a"}


def by_length(length: int) -> Document:
    made = with_rules({"match": {"destination": ["10.0.0.0/8", "fd00::/8"]}, "to": "sites"})
    sites = {"key": "destination", "shape": {"prefix_lengths": [16, length]}, "capacity": 9}
    made["endpoints"]["sites"] |= sites | {"rows": [{"destination": "10.1.0.0/16", "address": "192.0.2.1"}]}
    return made


def with_variant(variant: int) -> Document:
    made = with_rules(to_sites())
    made["encapsulations"]["ipip"] += [
        {"udp": {"destination_port": 6080, "source_port": "flow", "checksum": "zero"}},
        {"gue": {"variant": variant}},
    ]
    return made


@pytest.mark.parametrize(
    ("why", "one", "other", "path"),
    [
        (
            "what a list says twice is compared once",
            with_rules(to_sites(dscp=[46, "ef"])),
            with_rules(to_sites(dscp=[47, "ef"])),
            ("egress", "rules", 0, "match", "dscp", 0),
        ),
        (
            "IPv4 has no prefix length beyond 32",
            by_length(32),
            by_length(33),
            ("endpoints", "sites", "shape", "prefix_lengths", 1),
        ),
        (
            "a variant of a header has other words",
            with_variant(0),
            with_variant(1),
            ("encapsulations", "ipip", 2, "gue", "variant"),
        ),
    ],
)
def test_an_exception_of_values_is_needed(
    tmp_path: Path, why: str, one: Document, other: Document, path: Place
) -> None:
    assert edited(one, path, at(other, path)) == other
    assert VALUES[why](one, path, at(one, path), at(other, path))
    changed = difference(c_of(one, tmp_path), c_of(other, tmp_path))
    assert max(len(changed.added), len(changed.removed)) > 1


RECEIVED = {"ingress": {"rules": [{"name": "back", "decapsulate": "ipip", "from": "192.0.2.0/24"}]}}


def in_cgroup(path: str, **more: Any) -> Document:
    return {"match": {"destination": "10.0.0.0/8", "cgroup": path}, **(more or {"to": "sites/a"})}


def connecting(*cgroups: str) -> Document:
    connect = [
        {"name": f"connect-{i}", "match": {"destination": "10.0.0.0/8", "cgroup": path}, "choose": "sites/a"}
        for i, path in enumerate(cgroups)
    ]
    chosen = {"match": {"destination": "10.0.0.0/8"}, "socket": "sites"}
    return with_rules(chosen, in_cgroup("a.slice"), in_cgroup("a.slice/b"), connect={"rules": connect})


def learning(*names: str) -> Document:
    made = with_rules({"match": {"destination": "10.0.0.0/8"}, "reflect": "one"})
    made["encapsulations"]["ipip"] = [{"ip": {"source": "host.vtep", "destination": "received.ip.source"}}]
    del made["endpoints"]
    rules = [
        {
            "name": n,
            "decapsulate": "ipip",
            "from": f"192.0.{i}.0/24",
            "learn": {"for": "replies", "capacity": 100, "idle": "60s"},
        }
        for i, n in enumerate(names)
    ]
    return {**made, "ingress": {"rules": rules}}


@pytest.mark.parametrize(
    ("line", "before", "after"),
    [
        ("#define CGROUP_NAMES ", with_rules(in_cgroup("a.slice")), with_rules(in_cgroup("a.slice"), in_cgroup("b"))),
        (
            "#define CGROUP_LEVELS ",
            with_rules(in_cgroup("a.slice")),
            with_rules(in_cgroup("a.slice"), in_cgroup("a.slice/b")),
        ),
        (
            "#define CHOOSING_CGROUPS ",
            with_rules(in_cgroup("a.slice", socket="sites")),
            with_rules(in_cgroup("a.slice", socket="sites"), in_cgroup("b.slice", socket="sites")),
        ),
        ("#define CONNECT_NESTED ", connecting("a.slice"), connecting("a.slice", "a.slice/b")),
        ("#define FLOW_BUCKETS ", learning("one"), learning("one", "two")),
        (
            '#include "encap_arrivals.h"',
            {**with_rules({"match": {"destination": "10.9.0.0/16"}, "action": "drop"}), **RECEIVED},
            {**with_rules({"match": {"destination": "10.9.0.0/16"}, "action": "drop"}, to_sites()), **RECEIVED},
        ),
        (
            '"place": ',
            with_rules(in_cgroup("a.slice"), in_cgroup("b.slice")),
            with_rules(in_cgroup("b.slice", action="drop"), in_cgroup("a.slice"), in_cgroup("b.slice")),
        ),
    ],
)
def test_a_shared_line_is_needed(tmp_path: Path, line: str, before: Document, after: Document) -> None:
    if line == '"place": ':  # the rules keep their names
        for rule, name in zip(after["egress"]["rules"], ("first", "rule-0", "rule-1"), strict=True):
            rule["name"] = name
        after["egress"]["rules"][0]["match"]["destination"] = "10.9.0.0/16"
    one, other = lines_of(before, tmp_path), lines_of(after, tmp_path)
    lost = gone(one.c, other.c) + gone(one.manifest, other.manifest)
    assert any(found.startswith(line) for found in lost), lost
    assert any(re.match(pattern, line) for pattern in SHARED)
