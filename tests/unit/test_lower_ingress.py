"""What lowering decides of ingress: what both outer families share, who may send, how rules and packets end."""

from __future__ import annotations

from pathlib import Path

import pytest

from encap_compile.compile import ir, pipeline
from encap_compile.compile.render.templates import render

SPEC = """\
apiVersion: encap/v1alpha1
name: made
kernel: "{kernel}"
host: {{uplink: device, address: {{type: ip, default: uplink.address}}, zone: {{type: u32}}}}
attach: {{devices: [host.uplink]}}
encapsulations:
  vxlan:
    - ip: {{source: host.address, destination: endpoint.to}}
    - udp: {{destination_port: 4789, source_port: flow, checksum: zero}}
    - vxlan: {{vni: endpoint.vni}}
    - ethernet: {{source: host.uplink.mac, destination: endpoint.mac}}
  ipip: [{{ip: {{source: host.address, destination: endpoint.to}}}}]
  four: [{{ipv4: {{source: host.address, destination: 192.0.2.9}}}}, {{gre: {{}}}}]
endpoints:
  far-sites:
    key: destination
    fields: {{to: ip, four: ipv4, vni: u24, mac: mac}}
    encapsulation: [vxlan, ipip]
    rows:
      - encapsulation: vxlan
        destination: 10.1.0.0/16
        to: 192.0.2.1
        four: 192.0.2.1
        vni: 7
        mac: "02:00:00:00:00:01"
  tenants: {{key: received.vxlan.vni, fields: {{zone: u32}}, rows: [{{received.vxlan.vni: 7, zone: 1}}]}}
egress: {{rules: [{{name: out, match: {{destination: 10.0.0.0/8}}, to: far-sites}}{more}], default: pass}}
ingress: {{rules: [{rules}]}}
mtu: {{clamp_mss: {clamp}}}
"""
VXLAN = "decapsulate: vxlan, lookup: tenants"


def program(folder: Path, *rules: str, kernel: str = "5.10", more: str = "", clamp: bool = False) -> ir.Program:
    path = folder / "made.yaml"
    written = ", ".join(f"{{name: r{n}, {rule}}}" for n, rule in enumerate(rules))
    path.write_text(SPEC.format(kernel=kernel, rules=written, more=more, clamp=str(clamp).lower()))
    return pipeline.check_spec(str(path))[1].program


def only(found: ir.Program) -> ir.Decapsulation:
    (decapsulation,) = found.decapsulations
    return decapsulation


def test_outer_families_share_what_is_behind_the_outer_header(tmp_path: Path) -> None:
    found = program(tmp_path, f"{VXLAN}, from: any", "decapsulate: ipip, from: any")
    assert [(d.encapsulation, [o.family for o in d.outers]) for d in found.decapsulations] == [
        ("ipip", ["ipv4", "ipv6"]),
        ("vxlan", ["ipv4", "ipv6"]),
    ]
    ipip, vxlan = found.decapsulations
    assert {check.layer for check in vxlan.checks} == {"vxlan", "ethernet"}
    assert [{check.layer for check in outer.checks} for outer in vxlan.outers] == [{"ipv4"}, {"ipv6"}]
    assert [outer.checksum for outer in vxlan.outers] == [True, False]
    assert [type(d.inner) for d in found.decapsulations] == [ir.NamedByOuter, ir.NamedByField]
    assert (vxlan.in_udp, vxlan.inner_fixed) == (True, False)  # a priority tag may stand before the inner packet
    assert (ipip.in_udp, ipip.inner_fixed, ipip.checks, ipip.lengths) == (False, True, (), ())


def test_one_recognition_asks_for_both_families(tmp_path: Path) -> None:
    found = program(tmp_path, f"{VXLAN}, from: any", "decapsulate: ipip, from: any")
    (ipip,), (vxlan,) = (d.recognitions for d in found.decapsulations)
    assert (vxlan.protocols, vxlan.port and vxlan.port.number, ipip.protocols, ipip.port) == (
        (17,),
        4789,
        (4, 41),
        None,
    )
    assert [own.family for own in vxlan.own] == ["ipv4", "ipv6"]
    assert found.ingress is not None and (found.ingress.families, found.ingress.seen) == (("ipv4", "ipv6"), 8)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("any", ir.AnySource()),
        ("far-sites.to", ir.SourceMap("peer_addresses", "")),
        ("far-sites.four", ir.SourceMap("peer_addresses", "ipv4")),
    ],
)
def test_who_may_send(tmp_path: Path, written: str, expected: ir.Senders) -> None:
    senders = only(program(tmp_path, f"decapsulate: ipip, from: {written}")).rules[0].senders
    if isinstance(senders, ir.SourceMap):
        assert senders.map.endswith(written.partition(".")[2])
        senders = senders._replace(map="peer_addresses")
    assert (type(senders), senders) == (type(expected), expected)


@pytest.mark.parametrize(
    ("encapsulation", "written", "anybody"),
    [
        ("ipip", '["0.0.0.0/0", "::/0"]', True),
        ("ipip", '["0.0.0.0/0", "2001:db8::/32"]', False),
        ("four", "0.0.0.0/0", True),
        ("four", "[192.0.2.0/24, 0.0.0.0/0]", True),
        ("four", "[0.0.0.0/1, 128.0.0.0/1]", False),
    ],
)
def test_all_addresses_are_anybody(tmp_path: Path, encapsulation: str, written: str, anybody: bool) -> None:
    """Of the families that the encapsulation comes over: nothing is compared, and no source is refused."""
    found = program(tmp_path, f"decapsulate: {encapsulation}, from: {written}")
    assert (only(found).rules[0].senders == ir.AnySource()) is anybody
    assert (only(found).otherwise is None) is anybody
    assert ("may_send_r0" in render(found)) is not anybody


def test_prefixes_are_sorted_by_family(tmp_path: Path) -> None:
    senders = only(program(tmp_path, 'decapsulate: ipip, from: ["2001:db8::/32", 192.0.2.0/24]')).rules[0].senders
    assert isinstance(senders, ir.SourcePrefixes)
    assert [str(p) for p in senders.prefixes] == ["192.0.2.0/24", "2001:db8::/32"]


OTHERS = "decapsulate: ipip, from: 198.51.100.0/24"
LISTED, ANY, TCP = "decapsulate: ipip, from: far-sites.to", "decapsulate: ipip, from: any", "match: {protocol: tcp}"


@pytest.mark.parametrize(
    ("rules", "expected", "reasons"),
    [
        ([ANY], None, set()),
        ([f"{LISTED}, {TCP}", ANY], None, set()),
        ([LISTED], ir.Refuse("source"), {"source"}),
        ([f"{LISTED}, {TCP}", LISTED], ir.Refuse("source"), {"source"}),
        ([f"{ANY}, {TCP}"], ir.Refuse("match"), {"match"}),
        ([f"{LISTED}, {TCP}", f"{ANY}, {TCP}"], ir.Refuse("match"), {"match"}),
        ([f"{LISTED}, {TCP}"], ir.RefuseBySource("source", "match"), {"source", "match"}),
        ([LISTED, f"{OTHERS}, {TCP}"], ir.RefuseBySource("source", "match"), {"source", "match"}),
        ([f"{ANY}, {TCP}", LISTED], ir.Refuse("match"), {"match"}),
    ],
)
def test_what_no_rule_takes(tmp_path: Path, rules: list[str], expected: ir.Otherwise | None, reasons: set[str]) -> None:
    found = program(tmp_path, *rules)
    assert (type(only(found).otherwise), only(found).otherwise) == (type(expected), expected)
    # Only what can happen is counted.
    assert {c.counts.reason for c in found.counters if c.counts.reason in ("source", "match")} == reasons


PORT = "match: {protocol: tcp, destination_port: 80}"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([LISTED], ir.Follows.NOBODY),
        ([f"{LISTED}, match: {{source: 10.0.0.0/8}}"], ir.Follows.NOBODY),
        ([f"{LISTED}, {PORT}"], ir.Follows.LISTED),
        ([f"{LISTED}, {PORT}", ANY], ir.Follows.ANYBODY),
        ([f"{LISTED}, {PORT}", LISTED], ir.Follows.LISTED),
    ],
)
def test_whose_fragments_are_followed(tmp_path: Path, rules: list[str], expected: ir.Follows) -> None:
    assert only(program(tmp_path, *rules)).follows is expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0x10", ir.Literal(16, "ingress.rules.r0.set_mark")),
        ("endpoint.zone", ir.FromRow("field_zone", "u32")),
        ("host.zone", ir.FromHost("value_zone", "u32")),
    ],
)
def test_a_rule_is_steps_in_order(tmp_path: Path, written: str, expected: ir.Source) -> None:
    rule = only(program(tmp_path, f"{VXLAN}, from: any, set_mark: {written}")).rules[0]
    lookup, mark = rule.steps
    assert lookup == ir.IdentifierLookUp("tenants", ir.ReceivedField("vxlan", "vni", 32, 8, 24), "vni")
    assert isinstance(mark, ir.SetMark) and (type(mark.value), mark.value) == (type(expected), expected)
    assert (rule.verdict, rule.counter) == (ir.IngressVerdict.DECAPSULATE, "ingress_rule_r0")


def test_what_is_learned_of_the_outer_header_is_one_member(tmp_path: Path) -> None:
    learn = "learn: {for: replies, capacity: 100, idle: 60s}"
    reflect = ", {name: back, match: {source: 10.0.0.0/8}, reflect: r0}"
    found = only(program(tmp_path, f"decapsulate: ipip, from: any, {learn}", more=reflect, clamp=True))
    (step,) = found.rules[0].steps
    assert isinstance(step, ir.Learn) and step.directions == (ir.LearnFor.REPLIES,)
    source = next(f for f in step.fields if isinstance(f, ir.LearnedOuterField) and f.word is ir.OuterWord.SOURCE)
    assert [(family, field.layer, field.bits) for family, field in source.fields] == [
        ("ipv4", "ipv4", 32),
        ("ipv6", "ipv6", 128),
    ]
    assert [(g.family, g.usual, g.guards) for g in step.grows] == [
        ("ipv4", ir.AsReceived(), ()),
        ("ipv6", ir.AsReceived(), ()),
    ]
    assert found.then == (ir.Arrival.MOVE_TRANSPORT, ir.Arrival.LEARN, ir.Arrival.FIT_ANSWERS)


def test_what_is_done_afterwards(tmp_path: Path) -> None:
    plain = program(tmp_path, LISTED)
    fitting = program(tmp_path, LISTED, clamp=True)
    assert (only(plain).then, plain.ingress and plain.ingress.before) == ((), (ir.Arrival.LEARN_PATH_MTU,))
    assert only(fitting).then == (ir.Arrival.FIT_ANSWERS,)
    assert fitting.ingress is not None and fitting.ingress.before == (ir.Arrival.LEARN_PATH_MTU, ir.Arrival.FIT_ANSWERS)


def test_a_family_is_changed_by_what_the_kernel_has(tmp_path: Path) -> None:
    for kernel, expected in (("5.10", ir.FamilyChange.RECEIVE_AGAIN), ("6.3", ir.FamilyChange.FLAGS)):
        found = program(tmp_path, LISTED, kernel=kernel).ingress
        assert found is not None and found.family_change is expected


def test_a_counter_names_its_table_as_the_spec_does(tmp_path: Path) -> None:
    path = tmp_path / "made.yaml"
    written = SPEC.replace("tenants", "far-tenants").format(
        kernel="5.10", rules="{name: r0, decapsulate: vxlan, lookup: far-tenants, from: any}", more="", clamp="false"
    )
    path.write_text(written)
    counters = pipeline.check_spec(str(path))[1].program.counters
    assert [c.counts.table for c in counters if c.counts.rule == "r0"] == ["far-tenants"]


@pytest.mark.parametrize("sends", [True, False])
def test_a_value_that_is_sent_and_expected_stands_in_one_line(tmp_path: Path, sends: bool) -> None:
    text = SPEC.replace("host.uplink.mac", '"02:00:00:00:00:{mac}"')
    if not sends:
        text = text.replace("encapsulation: [vxlan, ipip]", "encapsulation: [ipip]").replace(
            "- encapsulation: vxlan\n        ", "- "
        )
        text = text.replace("vni: endpoint.vni", "vni: 7").replace("endpoint.mac", "host.uplink.mac")
    rendered = []
    for mac in ("01", "05"):
        path = tmp_path / "made.yaml"
        rules = "{name: r0, decapsulate: vxlan, from: any}" if not sends else f"{{name: r0, {VXLAN}, from: any}}"
        path.write_text(text.format(kernel="5.10", rules=rules, more="", clamp="false", mac=mac))
        rendered.append(render(pipeline.check_spec(str(path))[1].program).splitlines())
    one, other = rendered
    differs = [line for line, changed in zip(one, other, strict=True) if line != changed]
    assert len(differs) == 1
    assert differs[0].startswith("#define ENCAP_VXLAN__ETHERNET_SOURCE ")
    assert sum("is_mac(&headers->ethernet.destination, ENCAP_VXLAN__ETHERNET_SOURCE)" in line for line in one) == 1
