"""The model by itself: what it says of a frame, step by step. Against the program it is held in tests/model."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import product
from pathlib import Path

import pytest
from tests.model.inner import Inner

from encap_compile.common.diagnostics import Findings
from encap_compile.common.rows import read_rows
from encap_compile.compile.headers import gso as headers_gso
from encap_compile.compile.headers.segmented import Brought, Fate, fate
from encap_compile.compile.inline_rows import check_inline_rows
from encap_compile.compile.model import Did, Frame, Gso, Machine, Outcome, Socket, Verdict, facts_of
from encap_compile.compile.model.facts import Value
from encap_compile.compile.pipeline import check_spec, rows_path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
OWN = {"ipv4": ip_address("192.0.2.77").packed, "ipv6": ip_address("2001:db8::77").packed}
MAC = bytes.fromhex("020000000077")
SECOND = 1_000_000_000


def machine_of(example: str, **more: Value) -> Machine:
    spec, lowered, _, _ = check_spec(str(EXAMPLES / f"{example}.yaml"))
    findings, rows = Findings(), {}
    for table in lowered.manifest.tables:
        written = spec.endpoints[table.name]
        if written.file is not None:
            rows[table.name] = read_rows(table, str(rows_path(spec.path, written.file)), findings)
        else:
            rows[table.name] = check_inline_rows(written, table, findings)
    assert not findings.all
    host: dict[str, Value] = {"mtu": 1500, "flow_seed": 7, "no_tx_checksum": 0}
    for member in lowered.manifest.host_members:
        if member.member.type in OWN:
            host[member.member.name] = OWN[member.member.type]
        elif member.member.type == "mac":
            host[member.member.name] = MAC
    return Machine(lowered.program, facts_of(lowered.manifest, {**host, **more}, rows))


def packet(source: str, destination: str, port: int = 443, flags: int = 0x10, **more: object) -> bytes:
    family = "ipv6" if ":" in source else "ipv4"
    ends = ip_address(source).packed, ip_address(destination).packed
    return Inner(family, *ends, 6, 40000, port, flags=flags, **more).bytes()  # type: ignore[arg-type]


def frame(
    inner: bytes, socket: Socket | None = None, gso: Gso = Gso.UNKNOWN, gso_size: int = 0, forwarded: bool = False
) -> Frame:
    type_ = b"\x08\x00" if inner[0] >> 4 == 4 else b"\x86\xdd"
    return Frame(bytes(12) + type_ + inner, gso=gso, gso_size=gso_size, socket=socket, forwarded=forwarded)


def did(outcome: Outcome, what: Did) -> list[str]:
    return [step.name for step in outcome.steps if step.did is what]


def test_a_rule_a_row_and_headers() -> None:
    outcome = machine_of("vxlan-overlay").egress(frame(packet("10.0.0.1", "10.1.2.3")))
    assert (outcome.verdict, outcome.rule) == (Verdict.PASS, "web")
    assert outcome.counted == {"egress_rule_web": (1, 40)}
    assert outcome.sent is not None and outcome.sent.stack.name == "vxlan_ipv4"
    assert outcome.sent.outer[12:20] == OWN["ipv4"] + ip_address("192.0.2.10").packed
    assert outcome.sent.values["vxlan"]["vni"] == 42
    assert outcome.data[14:] == outcome.sent.outer + packet("10.0.0.1", "10.1.2.3")
    assert [did(outcome, w) for w in (Did.MATCHED, Did.FOUND)] == [["web"], ["sites"]]
    assert "egress.rules.web" in {step.place for step in outcome.steps}


def test_why_a_rule_does_not_match() -> None:
    outcome = machine_of("vxlan-overlay").egress(frame(packet("10.0.0.1", "10.1.2.3", port=444)))
    tried = [str(step) for step in outcome.steps if step.did is Did.TRIED]
    assert tried[0] == "tried web: not destination_port in 443, 8000-8999 (egress.rules.web)"
    assert outcome.rule == "sites"


def test_no_row() -> None:
    outcome = machine_of("vxlan-overlay").egress(frame(packet("10.0.0.1", "10.200.0.1")))
    assert (outcome.verdict, did(outcome, Did.MISSED)) == (Verdict.DROP, ["sites"])
    assert list(outcome.counted) == ["egress_miss_web"]


@pytest.mark.parametrize(
    ("data", "verdict", "counter"),
    [
        (bytes(12) + b"\x08\x00" + b"\x45" + bytes(18), Verdict.DROP, "egress_malformed"),
        (bytes(12) + b"\x86\xdd" + b"\x60" + bytes(38), Verdict.DROP, "egress_malformed"),
        (bytes(12) + b"\x08\x06" + bytes(28), Verdict.PASS, "egress_other"),
    ],
)
def test_what_is_no_packet(data: bytes, verdict: Verdict, counter: str) -> None:
    """Frames that BPF_PROG_TEST_RUN takes from nobody are among them."""
    outcome = machine_of("vxlan-overlay").egress(Frame(data))
    assert (outcome.verdict, list(outcome.counted), outcome.data) == (verdict, [counter], data)


def test_gso_packets_by_what_the_kernel_knows_of_them() -> None:
    machine, inner = machine_of("ipip-sites"), packet("10.0.0.1", "10.1.2.3", payload=bytes(3000))
    assert list(machine.egress(frame(inner, gso_size=1400)).counted) == ["egress_no_headroom"]
    assert machine.egress(frame(inner, gso_size=1400, gso=Gso.TCP)).rule == "sites"
    assert list(machine.egress(frame(inner, gso_size=1480, gso=Gso.TCP)).counted) == [
        "egress_too_big",
        "egress_without_df",
    ]


JUMBO = bytes.fromhex("0600c204000186a8")  # hop-by-hop: next TCP, the jumbo option
TCP, UDP, OTHER = headers_gso.Gso.TCP, headers_gso.Gso.UDP, headers_gso.Gso.OTHER
KINDS, PROTOCOLS = {TCP: Gso.TCP, UDP: Gso.UDP, OTHER: Gso.UNKNOWN}, {TCP: 6, UDP: 17, OTHER: 132}
BROUGHT = [Brought(*words) for words in product((TCP, UDP, OTHER), (4, 6), *3 * [(True, False)])]


@pytest.mark.parametrize("brought", BROUGHT, ids=str)
def test_what_becomes_of_gso_packets(brought: Brought) -> None:
    """Its model, with a packet of that kind. What the kernel refuses to a socket does not come to it."""
    if brought.big and brought.gso is not headers_gso.Gso.TCP:
        return  # only TCP makes such
    kernel = (6, 18)
    machine = machine_of("ipip-sites", no_tx_checksum=0 if brought.checksums else 3)
    ends = ("10.0.0.1", "10.1.2.3") if brought.version == 4 else ("2001:db8:a::1", "fd00:10:1::2")
    inner = bytearray(packet(*ends, payload=bytes(3000)))
    inner[9 if brought.version == 4 else 6] = PROTOCOLS[brought.gso]
    if brought.big:
        inner += bytes(100_000)
        if brought.version == 6:
            inner[4:7] = bytes(3)
            inner[40:40] = JUMBO
    given = frame(bytes(inner), gso_size=1000, gso=KINDS[brought.gso], forwarded=not brought.local)
    headers = headers_gso.answer(
        headers_gso.Outer.IPV4, headers_gso.Transport.NONE, headers_gso.Inner.IP, brought.gso, kernel
    )
    expected = fate(headers, "", brought, kernel)
    outcome = machine.egress(given)
    assert list(outcome.counted) == ["egress_rule_sites" if expected is Fate.SEGMENTED else expected.value]


def test_what_is_learned_becomes_idle() -> None:
    machine = machine_of("vxlan-return")
    inner = packet("198.51.100.5", "203.0.113.9", port=80)
    head = bytes.fromhex("0800000000002a00") + MAC + b"\2\0\0\0\0\x09" + b"\x08\x00"
    udp = (8 + len(head) + len(inner)).to_bytes(2, "big")
    datagram = b"\xc0\x00\x12\xb5" + udp + b"\0\0" + head + inner
    outer = bytearray(b"\x45\0" + (20 + len(datagram)).to_bytes(2, "big") + b"\0\0\x40\0\x40\x11\0\0")
    outer += ip_address("192.0.2.7").packed + OWN["ipv4"]
    total = sum(int.from_bytes(outer[i : i + 2], "big") for i in range(0, 20, 2))
    outer[10:12] = (~(total + (total >> 16)) & 0xFFFF).to_bytes(2, "big")
    arrived = machine.ingress(frame(bytes(outer) + datagram))
    assert (arrived.rule, arrived.data[14:]) == ("from-lb", inner), arrived.steps
    answer = Inner("ipv4", inner[16:20], inner[12:16], 6, 80, 40000).bytes()
    machine.now += 349 * SECOND
    assert machine.egress(frame(answer)).rule == "replies"
    machine.now += 351 * SECOND
    assert machine.egress(frame(answer)).rule == "vip-unlearned"


def test_what_a_socket_chose_and_what_is_remembered_of_it() -> None:
    machine = machine_of("teams")
    socket = Socket(("team-a.slice", ""), ("exits", "nyc"))
    syn = machine.egress(frame(packet("10.0.0.1", "198.51.100.9", flags=2), socket))
    assert syn.sent is not None and (syn.rule, syn.sent.stack.name) == ("chosen-a", "ipip_ipv6")
    reset = machine.egress(frame(packet("10.0.0.1", "198.51.100.9", flags=4)))  # the socket is gone
    assert reset.sent is not None and (reset.rule, reset.sent.stack.name) == ("chosen-a", "ipip_ipv6")
    other = machine.egress(frame(packet("10.0.0.1", "198.51.100.10", flags=4)))
    assert (other.verdict, other.rule) == (Verdict.PASS, "default")
    standard = machine.egress(frame(packet("10.0.0.1", "198.51.100.11"), Socket(("team-b.slice", ""))))
    assert (standard.rule, standard.sent is not None) == ("standard", True)
