"""Where counters stand: in one value of their map as long as they fit, then in several entries; none crosses."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from difflib import unified_diff
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.support.many_counters import RULES, many

from encap_compile.common import manifest_io
from encap_compile.common.diagnostics import DiagnosedError, Severity
from encap_compile.common.manifest import Manifest
from encap_compile.common.manifest_bounds import MOST_COUNTERS, MOST_COUNTERS_OF_ALL, check_bounds
from encap_compile.common.requirements import FEATURES
from encap_compile.common.structured import MalformedError
from encap_compile.compile.checks import counter_space
from encap_compile.compile.lower.counter_layout import ENTRY, LIBRARY, SIZE
from encap_compile.compile.pipeline import check_spec
from encap_compile.compile.render.templates import TEMPLATES, render
from encap_compile.run.loader.state import State
from encap_compile.run.loader.state_of_0_1 import document_of_0_1

FITS, MORE = 30, 42  # encapsulations beside the most rules
BESIDE = ("egress_default", "egress_too_big", "egress_mss_kept", "ingress_mss_kept", "egress_own_stack")


@cache
def lowered(encapsulations: int, rules: int = RULES) -> tuple[Manifest, str]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "many.yaml"
        path.write_text(many(rules, encapsulations))
        found = check_spec(str(path))[1]
    return replace(found.manifest, identity="0" * 64), render(found.program)


def test_what_fits_one_value_stands_in_one() -> None:
    manifest, code = lowered(FITS)
    assert MOST_COUNTERS * 7 // 8 < manifest.counters_size <= MOST_COUNTERS
    assert (manifest.counters_entries, manifest.requires) == (0, ())
    assert '#include "encap_counters_map.h"' in code and "encap_counter_entries.h" not in code
    assert "drop(skb, &counters->egress_miss_r0)" in code
    check_bounds(manifest)


def test_what_does_not_fit_stands_in_entries_of_equal_size() -> None:
    manifest, code = lowered(MORE)
    assert len(manifest.counters) > 2000 and manifest.counters_size == ENTRY
    assert manifest.counters_entries * ENTRY > MOST_COUNTERS
    assert manifest.requires == ("counter-entries",) and manifest.needs_release == "0.2.0"
    places = sorted(c.offset for c in manifest.counters)
    assert all(at % ENTRY <= ENTRY - SIZE for at in places), "no counter crosses from one entry to the next"
    assert all(after - before >= SIZE for before, after in itertools.pairwise(places)), "none overlaps"
    assert (manifest.counters_entries - 1) * ENTRY <= places[-1] < manifest.counters_entries * ENTRY
    assert {c.offset // ENTRY for c in manifest.counters if c.name in BESIDE} == {0}
    assert '#include "encap_counter_entries.h"' in code and "encap_counters_map.h" not in code
    assert "drop_at(skb, COUNTER(egress_miss_r0))" in code and "&counters->egress_miss" not in code
    check_bounds(manifest)


def test_the_entries_are_as_the_header_has_them() -> None:
    header = (TEMPLATES / "include" / "encap_counter_entries.h").read_text(encoding="utf-8")
    found = re.search(r"^#define COUNTERS_IN_ENTRY (\d+)", header, re.MULTILINE)
    assert found and int(found[1]) * SIZE == ENTRY


def test_places_are_as_the_struct_has_them() -> None:
    """The loader looks where `offsetof` of the C says."""
    manifest, code = lowered(MORE)
    found = re.search(r"^struct counters {\n(.*?)^};", code, re.MULTILINE | re.DOTALL)
    assert found
    places, at = {}, 0
    for kind, name in re.findall(r"^\tstruct (\w+) (\w+);", found[1], re.MULTILINE):
        for within in LIBRARY.get(kind, ("",)):
            places[f"{name}.{within}" if within else name] = at
            at += SIZE
    for counter in manifest.counters:
        reason = f"refused_{counter.encapsulation}.{counter.reason}"
        beside = f"{counter.direction}.{counter.reason}"
        assert counter.offset in (places.get(counter.name), places.get(reason), places.get(beside)), counter.name
    assert -(-at // ENTRY) == manifest.counters_entries


def test_an_inserted_rule_adds_its_own_lines() -> None:
    """The C says no entry and no offset: where a counter stands follows from the struct."""
    before, after = (lowered(MORE, rules)[1] for rules in (RULES - 1, RULES))
    lines = [line for line in unified_diff(before.splitlines(), after.splitlines(), n=0) if line[0] in "+-"][2:]
    assert all(line.startswith("+") for line in lines)
    members = [line[2:].split(";")[0] for line in lines if line.startswith("+\tstruct counter ")]
    last = RULES - 1
    assert members == [f"struct counter {name}{last}" for name in ("egress_rule_r", "egress_miss_r", "ingress_rule_i")]


def test_an_encapctl_that_reads_one_value_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    text = manifest_io.dump(lowered(MORE)[0])
    assert manifest_io.loads(text, "manifest.json").counters_entries > 1
    monkeypatch.delitem(FEATURES, "counter-entries")
    with pytest.raises(DiagnosedError) as caught:
        manifest_io.loads(text, "manifest.json")
    (found,) = caught.value.diagnostics
    assert found.code == "B312" and found.message.endswith("does not know: counter-entries")
    assert found.help.startswith("use encapctl 0.2.0 or newer")


@pytest.mark.parametrize("change", ["crosses", "beyond", "entries"])
def test_a_manifest_that_says_otherwise_is_refused(change: str) -> None:
    manifest, _ = lowered(MORE)
    end = manifest.counters_entries * ENTRY
    offset = {"crosses": ENTRY - SIZE // 2, "beyond": end, "entries": 0}[change]
    wrong = replace(manifest, counters=(replace(manifest.counters[0], offset=offset), *manifest.counters[1:]))
    if change == "entries":
        wrong = replace(manifest, counters_entries=MOST_COUNTERS_OF_ALL // ENTRY + 1)
    words = {"crosses": "crosses from one entry", "beyond": "is not between", "entries": "counters_entries"}[change]
    with pytest.raises(MalformedError, match=words):
        check_bounds(wrong)


def test_release_0_1_0_is_told_of_the_first_entry() -> None:
    """It reads one value. What it is told of others it would take for a state that nobody wrote."""
    manifest, _ = lowered(MORE)
    written = document_of_0_1(State(manifest=manifest).with_counters("layout", manifest.counters))
    assert all(c["offset"] < ENTRY for c in written["manifest"]["counters"])
    assert {c["name"] for c in written["manifest"]["counters"]} > {"egress_default", "egress_rule_r0"}
    assert all(offset < MOST_COUNTERS for offset in written["counter_layouts"]["layout"].values())


def test_more_than_a_cpu_should_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E522 is for thousands of encapsulations, which take minutes to check."""
    monkeypatch.setattr(counter_space, "MOST_COUNTERS_OF_ALL", MOST_COUNTERS)
    path = tmp_path / "many.yaml"
    path.write_text(many(RULES, MORE))
    with pytest.raises(DiagnosedError) as caught:
        check_spec(str(path))
    (found,) = [d for d in caught.value.diagnostics if d.severity == Severity.ERROR]
    assert found.code == "E522" and found.place is not None and found.place.line == 2
    assert re.match(r"\d+ counters take 36864 bytes for each CPU, and 32768 are the most", found.message)
