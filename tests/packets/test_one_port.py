"""Encapsulations of one outer protocol, port and address are told apart by the bits in which they always differ."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from pathlib import Path

import pytest

from encap_compile.common.diagnostics import DiagnosedError
from encap_compile.compile.headers.encode import FieldValue, encode
from encap_compile.compile.pipeline import check_spec

from .arriving import limited
from .datapath import OWN, Datapath
from .inner import frame, packet
from .specs import HEAD, Compile
from .stacks import REMOTE

MACS: Mapping[str, FieldValue] = {"source": "02:00:00:00:00:02", "destination": "02:00:00:00:00:01"}
IN_SPEC = '{source: "02:00:00:00:00:01", destination: "02:00:00:00:00:02"}'
Headers = list[tuple[str, str, Mapping[str, FieldValue]]]  # name, as in the spec, as the encoder takes it
UDP: tuple[str, str, Mapping[str, FieldValue]] = ("udp", "{checksum: zero}", {"source_port": 7})
TO_4789: tuple[str, str, Mapping[str, FieldValue]] = (
    "udp", "{checksum: zero, destination_port: 4789}", {"source_port": 7, "destination_port": 4789}
)  # fmt: skip
ETHERNET: tuple[str, str, Mapping[str, FieldValue]] = ("ethernet", IN_SPEC, MACS)
GROUPS: dict[str, dict[str, Headers]] = {
    "variants of GUE": {
        "zero": [UDP, ("gue", "{}", {})],
        "one": [UDP, ("gue", "{variant: 1}", {"variant": 1})],
    },
    "what GUE carries": {
        "ip": [UDP, ("gue", "{}", {})],
        "gre": [UDP, ("gue", "{}", {}), ("gre", "{}", {})],
        "nested": [UDP, ("gue", "{}", {}), UDP, ("gue", "{}", {})],
        "bare": [UDP, ("gue", "{variant: 1}", {"variant": 1})],
    },
    "GRE with and without a key": {
        "plain": [("gre", "{}", {})],
        "seven": [("gre", "{key: 7}", {"key": 7})],
        "eight": [("gre", "{key: 8}", {"key": 8})],
        "frames": [("gre", "{}", {}), ETHERNET],
        "frames-seven": [("gre", "{key: 7}", {"key": 7}), ETHERNET],
    },
    "constant identifiers": {
        "red": [UDP, ("vxlan", "{vni: 7}", {"vni": 7}), ETHERNET],
        "blue": [UDP, ("vxlan", "{vni: 0xffffff}", {"vni": 0xFFFFFF}), ETHERNET],
        "other": [TO_4789, ("geneve", "{vni: 8}", {"vni": 8})],
    },
    "the inner MAC": {
        "red": [UDP, ("vxlan", "{vni: 7}", {"vni": 7}), ETHERNET],
        "blue": [
            UDP,
            ("vxlan", "{vni: 7}", {"vni": 7}),
            (
                "ethernet",
                IN_SPEC.replace("00:01", "00:03", 1),
                {"source": "02:00:00:00:00:02", "destination": "02:00:00:00:00:03"},
            ),
        ],
    },
}


def spec(names: tuple[str, ...], group: Mapping[str, Headers]) -> str:
    lines = [HEAD, "encapsulations:"]
    for name in names:
        lines.append(f"  {name}:\n    - ip: {{source: host.address, destination: endpoint.to}}")
        lines += [f"    - {header}: {written}" for header, written, _ in group[name]]
    rules = ", ".join(f"{{name: in-{name}, decapsulate: {name}, from: any}}" for name in names)
    return "\n".join([*lines, f"ingress: {{rules: [{rules}]}}", ""])


def datagram(headers: Headers, outer: int, inner: bytes) -> bytes:
    ends: Mapping[str, FieldValue] = {"source": REMOTE[outer], "destination": OWN[outer]}
    return frame(encode([(f"ipv{outer}", ends), *((name, given) for name, _, given in headers)], inner))


CASES = [(name, order) for name, group in GROUPS.items() for order in list(permutations(group))[:24:5] or [()]]


@pytest.mark.parametrize(("name", "order"), CASES, ids=[f"{n}-{'-'.join(o)}" for n, o in CASES])
def test_each_packet_comes_to_its_own_rule(compiled: Compile, name: str, order: tuple[str, ...]) -> None:
    group = GROUPS[name]
    with Datapath(compiled(spec(order, group))) as loaded:
        for which in order:
            counter = f"ingress_rule_in_{which.replace('-', '_')}"
            for outer in (4, 6):
                for inner in (packet("tcp", "10.9.0.1", "10.0.0.1"), packet("udp-odd", "fd00:9::1", "fd00::1")):
                    given = datagram(group[which], outer, inner)
                    for arrived in (given, limited(given)) if outer == 6 else (given,):
                        came = loaded.ingress(arrived)
                        assert (list(came.counted), came.frame[14:]) == ([counter], inner)
                    for length in range(14 + {4: 20, 6: 40}[outer] + 9, len(given)):
                        assert counter not in loaded.ingress(given[:length]).counted


def test_what_fits_none_is_refused_by_the_last(compiled: Compile) -> None:
    inner = packet("tcp", "10.9.0.1", "10.0.0.1")
    strangers: dict[str, Headers] = {
        "variants of GUE": [UDP, ("gue", "", {"variant": 2})],
        "GRE with and without a key": [("gre", "", {"key": 9})],
        "constant identifiers": [UDP, ("vxlan", "", {"vni": 9}), ETHERNET],
    }
    for name, stranger in strangers.items():
        group = GROUPS[name]
        for order in (tuple(group), tuple(reversed(group))):
            with Datapath(compiled(spec(order, group))) as loaded:
                for outer in (4, 6):
                    given = datagram(stranger, outer, inner)
                    came = loaded.ingress(given)
                    assert (came.verdict, came.frame) == ("drop", given)
                    assert [c.startswith("refused_") for c in came.counted] == [True], came.counted


SAME = {
    "one key": ("[{gre: {key: 7}}]", "[{gre: {key: 7}}]"),
    "a key of this machine": ("[{gre: {key: 7}}]", "[{gre: {key: host.key}}]"),
    "a field that is ignored": (
        "[{udp: {checksum: zero, source_port: 1}}, {gue: {}}]", "[{udp: {checksum: zero, source_port: 2}}, {gue: {}}]"
    ),
    "what stands behind options": (
        '[{udp: {checksum: zero}}, {geneve: {vni: 7}}, {ethernet: {source: "02:00:00:00:00:01", destination: '
        '"02:00:00:00:00:02"}}]',
        '[{udp: {checksum: zero}}, {geneve: {vni: 7}}, {ethernet: {source: "02:00:00:00:00:03", destination: '
        '"02:00:00:00:00:02"}}]',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_what_nothing_tells_apart(tmp_path: Path, name: str) -> None:
    both = [f"[{{ip: {{source: host.address, destination: endpoint.to}}}}, {text[1:]}" for text in SAME[name]]
    text = HEAD.replace("address}}", "address}, key: u32}") + (
        f"encapsulations:\n  one: {both[0]}\n  two: {both[1]}\n"
        "ingress: {rules: [{name: a, decapsulate: one, from: any}, {name: b, decapsulate: two, from: any}]}\n"
    )
    (tmp_path / "made.yaml").write_text(text)
    with pytest.raises(DiagnosedError) as raised:
        check_spec(str(tmp_path / "made.yaml"))
    assert {d.code for d in raised.value.diagnostics if d.code.startswith("E")} == {"E513"}
