"""What lowering decides: layouts, folded constants, counters and the manifest, against the catalogue and arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from encap_compile.common.manifest import Layout
from encap_compile.compile import ir, pipeline
from encap_compile.compile.headers.encode import checksum, encode
from encap_compile.compile.lower import Lowered
from encap_compile.compile.spec import Spec

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(p.stem for p in (ROOT / "examples").glob("*.yaml"))
HEAD = """\
apiVersion: encap/v1alpha1
name: made
kernel: "{kernel}"
host: {{uplink: device, address: {{type: ip, default: uplink.address}}}}
attach: {{devices: [host.uplink]}}
"""


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> tuple[Spec, Lowered]:
    spec, lowered, _, _ = pipeline.check_spec(str(ROOT / "examples" / f"{request.param}.yaml"))
    return spec, lowered


def lowered(tmp_path: Path, text: str, kernel: str = "5.10") -> Lowered:
    path = tmp_path / "made.yaml"
    path.write_text(HEAD.format(kernel=kernel) + text)
    return pipeline.check_spec(str(path))[1]


def test_layers_follow_without_a_gap(example: tuple[Spec, Lowered]) -> None:
    for stack in example[1].program.stacks:
        offset = 0
        for layer in stack.layers:
            assert layer.offset == offset
            assert layer.size == sum(w.bits for w in layer.words) // 8
            offset += layer.size
            if stack.variable and stack.variable.options and stack.variable.layer == layer.member:
                offset += sum(4 + 4 * option.words for option in stack.variable.options.options)
        assert offset == stack.overhead


def test_constants_are_what_the_encoder_writes(example: tuple[Spec, Lowered]) -> None:
    """Literal words, and the checksum's folded base, against the reference encoder with zeros for all that varies."""
    inner = bytes.fromhex("45000014" + "00" * 16)
    sent = {e.stack.name for e in example[1].program.egress.encapsulators}
    for stack in example[1].program.stacks:
        written = []
        for layer in stack.layers:
            literal = {p.name: 0 for w in layer.words for p in w.parts}
            literal |= {
                p.name: p.source.value for w in layer.words for p in w.parts if isinstance(p.source, ir.Literal)
            }
            written.append((layer.header, literal))
        encoded = encode(written, inner)
        for layer in stack.layers:
            at = layer.offset
            for word in layer.words:
                value = 0
                for part in word.parts:
                    if isinstance(part.source, ir.Literal):
                        value |= part.source.value << part.shift
                assert encoded[at : at + word.bits // 8] == value.to_bytes(word.bits // 8, "big"), word.name
                at += word.bits // 8
            if layer.offset and layer.checksum_base and stack.name in sent:  # the library writes the outermost header
                constants = {c.name: c.value for g in example[1].program.constants for c in g.constants}
                base = ~checksum(encoded[layer.offset : layer.offset + layer.size]) & 0xFFFF
                assert int(constants[layer.checksum_base], 0) == base


def test_structs_have_no_hidden_padding(example: tuple[Spec, Lowered]) -> None:
    manifest = example[1].manifest
    layouts = [manifest.host_layout, *(x for t in manifest.tables for x in (t.key, t.value))]
    layouts += [s.key for s in (*manifest.source_sets, *manifest.prefix_sets)]
    for layout in layouts:
        check_layout(layout)


def check_layout(layout: Layout) -> None:
    at = 0
    for member in layout.members:
        assert member.offset == at, "padding is a member"
        if member.type in ("u16", "be16"):
            assert at % 2 == 0
        if member.type in ("u32", "prefixlen", "rowid", "stack", "ip", "ipv4", "ipv6"):
            assert at % 4 == 0
        at += member.size
    assert at == layout.size


def test_counters_are_named_once(example: tuple[Spec, Lowered]) -> None:
    spec, found = example
    counters = found.manifest.counters
    assert len({c.name for c in counters}) == len(counters)
    offsets = [c.offset for c in counters]
    assert len(set(offsets)) == len(offsets)
    assert all(offset in range(0, found.manifest.counters_size, 16) for offset in offsets)
    kinds = ("chosen", "passed", "dropped", "refused", "decapsulated", "flows", "connect", "kept", "noted")
    assert all(c.text and c.kind in kinds for c in counters)
    for rule in spec.egress.rules:
        assert f"egress_rule_{rule.name.replace('-', '_')}" in {c.name for c in counters}
    assert [c.name for c in counters] == [c.name for c in found.program.counters]


def test_inserting_a_rule_moves_nobody(tmp_path: Path) -> None:
    """Counters and stacks keep their names and numbers."""
    rules = ["{name: a, match: {destination: 10.1.0.0/16}, action: drop}", "{name: b, match: {dscp: 3}, action: pass}"]
    new = "{name: new, match: {destination: 10.3.0.0/16}, action: drop}"
    before, after = (
        {
            c.name: (c.kind, c.text)
            for c in lowered(tmp_path, f"egress: {{rules: [{', '.join(r)}], default: pass}}\n").manifest.counters
        }
        for r in (rules, [new, *rules])
    )
    assert before.items() <= after.items()
    assert set(after) - set(before) == {"egress_rule_new"}


@pytest.mark.parametrize(
    ("ranges", "compared"),
    [
        ("[80]", ((80, 80),)),
        ("[0-1023, 1024-65535]", ((0, 1023), (1024, 65535))),
        ("[9, 7, 8]", ((9, 9), (7, 7), (8, 8))),
        ("[1-5, 3-9, 20]", ((1, 5), (3, 9), (20, 20))),
        ("[80, 443, 80]", ((80, 80), (443, 443))),
    ],
)
def test_ranges_are_as_written(tmp_path: Path, ranges: str, compared: tuple[tuple[int, int], ...]) -> None:
    """Another value of one is a change of its constant, also where it then touches a neighbour."""
    rule = f"{{name: a, match: {{protocol: tcp, destination_port: {ranges}}}, action: drop}}"
    program = lowered(tmp_path, f"egress: {{rules: [{rule}], default: pass}}\n").program
    (condition,) = (c for c in program.egress.rules[0].conditions if getattr(c, "member", "") == "destination_port")
    assert isinstance(condition, ir.InRanges) and condition.ranges == compared


VXLAN = """
encapsulations:
  e:
    - ip: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero}
    - vxlan: {vni: 1}
    - ethernet: {source: host.uplink.mac, destination: "02:00:00:00:00:01"}
endpoints:
  all: {key: destination, fields: {to: ip}, encapsulation: e, rows: [{destination: 10.0.0.0/8, to: 192.0.2.1}]}
egress: {rules: [{name: a, match: {destination: 10.0.0.0/8}, to: all}], default: pass}
ingress: {rules: [{name: in, decapsulate: e, from: all.to}]}
"""


def test_newer_kernels_get_newer_flags(tmp_path: Path) -> None:
    old, new = lowered(tmp_path, VXLAN, "5.10"), lowered(tmp_path, VXLAN, "6.6")
    flags = [{f for s in p.program.stacks for f in s.tc_flags} for p in (old, new)]
    assert "BPF_F_ADJ_ROOM_ENCAP_L2_ETH" in flags[1] - flags[0]
    assert old.program.ingress and new.program.ingress
    assert new.program.ingress.family_change == "flags" != old.program.ingress.family_change
    for found in (old, new):
        for since in found.manifest.features.values():
            assert tuple(map(int, since.split("."))) <= tuple(map(int, found.manifest.kernel.split(".")))


def test_only_what_is_needed(tmp_path: Path) -> None:
    """A spec without encapsulation has neither stacks nor maps but the counters; one family is all it looks at."""
    found = lowered(
        tmp_path, "egress: {rules: [{name: a, match: {destination: 10.0.0.0/8}, action: drop}], default: pass}\n"
    )
    program = found.program
    assert (program.stacks, program.tables, program.address_maps, program.ingress) == ((), (), (), None)
    assert program.packet.families == ("ipv4",)
    assert not (program.packet.ports or program.packet.mark or program.packet.hash or program.packet.length)
    assert [p.hook for p in found.manifest.programs] == ["tc_egress"]


ANSWERED = """\
encapsulations: {e: [{ip: {source: host.address, destination: endpoint.to}}]}
endpoints:
  t: {key: destination, fields: {to: ip}, encapsulation: e, rows: [{destination: 10.1.0.0/16, to: 192.0.2.9}]}
egress:
  rules:
    - {name: voice, match: {destination: 10.0.0.0/8, dscp: ef}, to: t, on_miss: next}
    - {name: all_tcp, match: {protocol: tcp}, to: t}
    - {name: rest, match: {destination: 10.0.0.0/8}, to: t}
  default: pass
"""


def test_answers_are_validated_up_to_the_rule_that_all_meet(tmp_path: Path) -> None:
    """By conditions of the rules themselves, so that each can stand once in the C."""
    program = lowered(tmp_path, ANSWERED).program
    assert program.fit is not None
    voice, all_tcp = program.fit.answers
    assert (voice.name, voice.final, all_tcp.name, all_tcp.final) == ("voice", False, "all_tcp", True)
    assert voice.conditions == program.egress.rules[0].conditions[:1] and all_tcp.conditions == ()
