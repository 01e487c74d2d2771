"""A small edit of a spec is a small change of the C: one value one line, and what is inserted adds lines of its own.

All values of all examples are edited, and some of specs over the whole language; rules, rows and
encapsulations are inserted wherever they can stand.
"""

from __future__ import annotations

import copy
import ipaddress
import random
import re
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from encap_compile.common.diagnostics import DiagnosedError
from tests.support.artifacts import EXAMPLES, artifacts, beside_examples

from .spec_generator import generate

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
Path_ = tuple[Any, ...]
# What all parts of a program share may grow: whether fitting looks at packets, how much is read of outer headers.
SHARED = re.compile(r"#define FIT_MATCHES |\(void\)packet;|if \(!read_outer\(")


class Difference(NamedTuple):
    added: list[str]
    removed: list[str]


def c_of(document: Any, folder: Path, name: str) -> list[str]:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False, width=100))
    return artifacts(path)[f"{name}.bpf.c"].splitlines()


def difference(before: list[str], after: list[str]) -> Difference:
    lines = list(unified_diff(before, after, n=0, lineterm=""))[2:]
    return Difference(
        [line[1:].strip() for line in lines if line.startswith("+")],
        [line[1:].strip() for line in lines if line.startswith("-")],
    )


def own(removed: list[str]) -> list[str]:
    return [line for line in removed if not SHARED.match(line)]


def leaves(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*path, key))
    else:
        yield path, value


def edited(document: Any, path: Path_, value: Any) -> Any:
    changed = copy.deepcopy(document)
    part = changed
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
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


@pytest.mark.parametrize("name", NAMES)
def test_one_value_is_one_line(tmp_path: Path, name: str) -> None:
    beside_examples(tmp_path)
    document = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    before = c_of(document, tmp_path, name)
    tried = 0
    for path, value in leaves(document):
        other = another(value)
        if other is None or path[0] in ("kernel", "tests"):
            continue
        try:
            found = difference(before, c_of(edited(document, path, other), tmp_path, name))
        except DiagnosedError:
            continue  # another value is wrong here, as a key that is there already
        tried += 1
        assert len(found.added) == len(found.removed) <= 1, (path, value, other, found)
    assert tried


def inserted(document: Any, path: Path_, at: int, value: Any) -> Any:
    changed = copy.deepcopy(document)
    part = changed
    for key in path:
        part = part[key]
    part.insert(at, value)
    return changed


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("gue-dsr",)])  # a preset has its own rules
def test_an_inserted_rule_adds_its_lines(tmp_path: Path, name: str) -> None:
    beside_examples(tmp_path)
    document = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    before = c_of(document, tmp_path, name)
    rule = {"name": "inserted", "match": {"destination": "198.51.100.0/24"}, "action": "drop"}
    for at in range(len(document["egress"]["rules"]) + 1):
        found = difference(before, c_of(inserted(document, ("egress", "rules"), at, rule), tmp_path, name))
        assert found.added and own(found.removed) == [], (at, found)
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
    for at in range(len(body["rows"]) + 1):
        path.write_text(yaml.safe_dump(inserted(document, ("endpoints", table, "rows"), at, row), sort_keys=False))
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
    before = c_of(document, tmp_path, name)
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
    found = difference(before, c_of(other, tmp_path, name))
    assert found.added and own(found.removed) == [], found


def stands_alone(path: Path_, value: Any) -> bool:
    """Not what drawn lists say twice or within one another; a promised length is a look-up, and zero is not written."""
    listed = any(word in path for word in ("destination", "source", "dscp")) and "match" in path
    mac = isinstance(value, str) and len(value.split(":")) == 6  # compared as three words
    return not (listed or path[0] == "sets" or "from" in path or mac or "prefix_lengths" in path or value == 0)


@settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(pick=st.randoms(use_true_random=False))
def test_one_value_of_any_spec(tmp_path_factory: pytest.TempPathFactory, pick: random.Random) -> None:
    document = dict(generate(pick))
    folder, name = tmp_path_factory.mktemp("values"), document["name"]
    try:
        before = c_of(document, folder, name)
    except DiagnosedError:
        return
    found = [(path, value) for path, value in leaves(document) if another(value) is not None]
    found = [(path, value) for path, value in found if path[0] != "kernel" and stands_alone(path, value)]
    for path, value in pick.sample(found, min(8, len(found))):
        try:
            changed = difference(before, c_of(edited(document, path, another(value)), folder, name))
        except DiagnosedError:
            continue
        assert len(changed.added) == len(changed.removed) <= 1, (path, value, changed, document)
