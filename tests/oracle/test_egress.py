"""What leaves is done with as the document says: by the rule, by the row, by the encapsulation.

The model executes the IR, and is held against the kernel elsewhere. Neither sees what lowering gets wrong: a condition
left out, a list taken for another one. The oracle here reads the document alone.

ENCAP_ORACLE_SPECS is how many documents are drawn, ENCAP_ORACLE_PACKETS how many packets for each; a number beside the
first, as in 2000:7, is where the random numbers begin.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from encap_compile.common.diagnostics import DiagnosedError
from encap_compile.compile import ir
from encap_compile.compile.lower import conditions, egress, egress_rules, program

from .draw import overlapping
from .pair import Pair

COUNT, _, FIRST = os.environ.get("ENCAP_ORACLE_SPECS", "100").partition(":")
PACKETS = int(os.environ.get("ENCAP_ORACLE_PACKETS", "150"))
TRIED = 400  # documents, for one in which a wrong compiler does something wrong


def pairs(path: Path, count: int) -> Iterator[tuple[str, Pair]]:
    """Documents that the checks let through, each with the seed of its packets."""
    for number in range(count):
        seed = f"{FIRST} {number}"
        try:
            yield seed, Pair(overlapping(Random(seed)), path)
        except DiagnosedError:
            continue


def test_drawn_documents(tmp_path: Path) -> None:
    path, taken = tmp_path / "spec.yaml", 0
    for seed, pair in pairs(path, int(COUNT)):
        taken += 1
        found = next(pair.differences(seed, PACKETS), None)
        assert found is None, f"{found}\n\n{path.read_text()}"
    assert taken > int(COUNT) / 4


BY_CGROUP_AND_PORT = """
apiVersion: encap/v1alpha1
name: two
host: {uplink: device, address: {type: ipv4, default: uplink.address}}
attach: {devices: [host.uplink], cgroup: /}
encapsulations:
  ipip: [{ipv4: {source: host.address, destination: endpoint.address}}]
endpoints:
  sites:
    key: [cgroup, destination_port]
    fields: {address: ipv4}
    encapsulation: ipip
    rows:
      - {cgroup: a.slice, destination_port: 53, address: 192.0.2.1}
      - {cgroup: a.slice, destination_port: 443, address: 192.0.2.2}
      - {cgroup: b.slice/c, destination_port: 443, address: 192.0.2.3}
egress:
  rules: [{name: all, match: {protocol: [tcp, udp]}, to: sites, on_miss: next}]
  default: pass
"""


def test_a_row_by_its_cgroup_and_its_port(tmp_path: Path) -> None:
    pair = Pair(yaml.safe_load(BY_CGROUP_AND_PORT), tmp_path / "spec.yaml")
    assert list(pair.differences("a key of two words", 1000)) == []


# ---- that it finds what is wrong -------------------------------------------------------------------------------------

Patch = Callable[[pytest.MonkeyPatch], None]
of_conditions = conditions.Conditions


def without_family(patch: pytest.MonkeyPatch) -> None:
    """A long list of both families is taken to ask for the family: what a rule from 0.0.0.0/0 by such a list did."""
    patch.setattr(of_conditions, "_admits_others", lambda *_: False)


def half_a_family(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conditions, "_is_any_address", lambda addresses, _: any(p.prefixlen <= 1 for p in addresses.prefixes))


def lists_by_their_length(patch: pytest.MonkeyPatch) -> None:
    """A rule is given the list of another one."""
    right = of_conditions.long_list

    def taken(self: conditions.Conditions, addresses: Any, otherwise: str) -> str:
        same = (n for n, known in self.prefix_maps.items() if len(known.prefixes) == len(addresses.prefixes))
        return next(same, None) or right(self, addresses, otherwise)

    patch.setattr(of_conditions, "long_list", taken)


def without_the_last_prefix(patch: pytest.MonkeyPatch) -> None:
    right = of_conditions._addresses

    def shorter(self: conditions.Conditions, *given: Any) -> ir.Condition:
        found = right(self, *given)
        return found._replace(prefixes=found.prefixes[:-1]) if isinstance(found, ir.InPrefixes) else found

    patch.setattr(of_conditions, "_addresses", shorter)


def ports_up_to_the_last(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conditions, "_pairs", lambda ranges: tuple((r.first, max(r.first, r.last - 1)) for r in ranges))


def hidden_is_not_meant(patch: pytest.MonkeyPatch) -> None:
    """What hides its ports is taken for no packet of a rule by ports, and leaves unencapsulated."""

    def seen(resolved: Any, made: conditions.Conditions) -> dict[str, tuple[ir.Condition, ...]]:
        return {r.name: made.of(r, False, f"egress_{egress_rules.c_name(r.name)}") for r in resolved.egress}

    patch.setattr(program, "rule_conditions", seen)


def nothing_is_kept(patch: pytest.MonkeyPatch) -> None:
    """A later fragment that a rule may encapsulate is let go by the next one."""
    patch.setattr(egress_rules, "_kept_from_leaving", list)


def misses_pass(patch: pytest.MonkeyPatch) -> None:
    right = egress_rules._miss

    def passes(rule: Any, hiding: Any) -> ir.Miss:
        made = right(rule, hiding)
        return made._replace(shown=ir.Verdict.PASS) if made.shown is ir.Verdict.NEXT else made

    patch.setattr(egress_rules, "_miss", passes)


def any_row_may_be_chosen(patch: pytest.MonkeyPatch) -> None:
    right = egress_rules.choices
    patch.setattr(egress_rules, "choices", lambda rule: tuple(c._replace(rows=()) for c in right(rule)))


def one_encapsulation_for_all_rows(patch: pytest.MonkeyPatch) -> None:
    right = program.dispatches
    patch.setattr(program, "dispatches", lambda *given: tuple(d._replace(by_row=False) for d in right(*given)))


def link_local_is_no_exception(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(egress, "_catches_link_local", lambda *_: False)


WRONG: list[Patch] = [
    without_family,
    half_a_family,
    lists_by_their_length,
    without_the_last_prefix,
    ports_up_to_the_last,
    hidden_is_not_meant,
    nothing_is_kept,
    misses_pass,
    any_row_may_be_chosen,
    one_encapsulation_for_all_rows,
    link_local_is_no_exception,
]


@pytest.mark.sweep
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_wrong_compiler_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Patch) -> None:
    wrong(monkeypatch)
    found = (next(pair.differences(seed, PACKETS), None) for seed, pair in pairs(tmp_path / "spec.yaml", TRIED))
    assert any(found)
