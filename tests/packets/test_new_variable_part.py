"""Headers with a variable-length part that nobody has heard of, by their descriptions alone: on the wire and back.

`note` counts its whole header in 32-bit words and brings opaque context, as NSH (RFC 8300) does. `memo` counts the part
alone, in bytes and with a field that could say more than there may be. `tags` has options.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Raw

from .datapath import MAC, OWN, Datapath, Outcome
from .inner import frame
from .specs import HEAD
from .test_new_header import MAIN

NOTE = """
from ..model import Constant, Field, FromSpec, Header, Length, NextProtocol, Opaque, Receive, Space, Word

HEADER = Header(
    name="note",
    title="Note",
    reference="none",
    announced_as={Space.UDP_PORT: 6633},
    words=(
        Word(
            "first",
            (
                Field("version", 2, Constant(0), "always 0"),
                Field("reserved", 8, Constant(0), "zero", Receive.IGNORE),
                Field("length", 6, Length("header", unit=4), "of this header, in 32-bit words", refusal="note_length"),
                Field("next", 16, NextProtocol(Space.ETHERTYPE), "what follows"),
            ),
        ),
        Word("path", (Field("path", 32, FromSpec("u32", default=7), "service path", Receive.IGNORE),)),
    ),
    variable=Field("context", 992, Opaque(most=124), "context headers"),
)
"""
MEMO = """
from ..model import Field, Header, Length, NextProtocol, Opaque, Space, Word

HEADER = Header(
    name="memo",
    title="Memo",
    reference="none",
    announced_as={Space.UDP_PORT: 6634},
    words=(
        Word("bytes", (Field("bytes", 16, Length("variable"), "of the text"),)),
        Word("next", (Field("next", 16, NextProtocol(Space.ETHERTYPE), "what follows"),)),
    ),
    variable=Field("text", 320, Opaque(most=40), "text"),
)
"""
TAGS = """
from ..model import Constant, Critical, Field, FromSpec, Header, Length, NextProtocol, Options, Reserved, Space, Word

HEAD = Word(
    "tag",
    (
        Field("class", 16, FromSpec("u16"), "who defines it"),
        Field("type", 8, FromSpec("u8"), "what it is"),
        Field("reserved", 4, Reserved(), "zero"),
        Field("length", 4, Length("variable", unit=4), "of its data"),
    ),
)
HEADER = Header(
    name="tags",
    title="Tags",
    reference="none",
    announced_as={Space.UDP_PORT: 6635},
    words=(
        Word(
            "first",
            (
                Field("critical", 1, Critical(), "one tag is critical", refusal="tags_critical"),
                Field("length", 7, Length("header", unit=2), "of this header and its tags"),
                Field("rest", 8, Constant(0xA5), "always"),
            ),
        ),
        Word("next", (Field("next", 16, NextProtocol(Space.ETHERTYPE), "what follows"),)),
    ),
    variable=Field("tags", 8 * 64, Options(most=64, head=HEAD, critical=0x40), "tags"),
)
"""
SIZED = """
from ..model import Field, Header, Length, NextProtocol, Receive, Space, Word

HEADER = Header(
    name="sized",
    title="Sized",
    reference="none",
    announced_as={Space.ETHERTYPE: 0x88B5},
    words=(
        Word("all", (Field("all", 16, Length("datagram"), "with this header", Receive.VERIFY),)),
        Word("rest", (Field("rest", 16, Length("payload"), "behind this header", Receive.VERIFY),)),
        Word("next", (Field("next", 16, NextProtocol(Space.ETHERTYPE), "what follows"),)),
    ),
)
"""
HEADERS = {"note": NOTE, "memo": MEMO, "tags": TAGS, "sized": SIZED}
PORTS = {"note": 6633, "memo": 6634, "tags": 6635}
SPEC = (
    HEAD
    + """
encapsulations:
  note:
    - ip: {source: host.address, destination: received.ip.source}
    - udp: {checksum: zero}
    - note: {path: received.note.path, context: received.note.context}
  memo:
    - ip: {source: host.address, destination: received.ip.source}
    - udp: {checksum: zero}
    - memo: {text: received.memo.text}
  bare:
    - ip: {source: host.address, destination: received.ip.source}
    - udp: {checksum: zero, destination_port: 6700}
    - note: {path: received.note.path}
  tags:
    - ip: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero}
    - tags:
        tags:
          - {name: who, class: 0x102, type: 1, length: 4, value: 0xabcdef01}
          - {name: how, class: 0x102, type: 0x42, length: 8, value: 0x1122334455667788}
  sized:
    - ip: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero, destination_port: 6701}
    - tags: {}
    - sized: {}
    - ethernet: {source: host.uplink.mac, destination: "02:00:00:00:00:09"}
endpoints:
  sites:
    key: destination
    fields: {to: ip}
    encapsulation: [tags, sized]
    rows:
      - {destination: 10.9.0.0/16, encapsulation: tags, to: 192.0.2.9}
      - {destination: 10.7.0.0/16, encapsulation: sized, to: 192.0.2.9}
egress:
  rules:
    - {name: noted, match: {source: 10.1.0.0/16}, reflect: note}
    - {name: texted, match: {source: 10.2.0.0/16}, reflect: memo}
    - {name: plain, match: {source: 10.3.0.0/16}, reflect: bare}
    - {name: tagged, match: {destination: [10.7.0.0/16, 10.9.0.0/16]}, to: sites}
  default: pass
  segmentation: off
ingress:
  rules:
    - {name: note, decapsulate: note, from: any, learn: {for: replies, capacity: 100, idle: 100s}}
    - {name: memo, decapsulate: memo, from: any, learn: {for: replies, capacity: 100, idle: 100s}}
    - {name: bare, decapsulate: bare, from: any, learn: {for: replies, capacity: 100, idle: 100s}}
    - {name: tags, decapsulate: tags, from: sites.to}
    - {name: sized, decapsulate: sized, from: sites.to}
"""
)
PEER = "192.0.2.9"


def compile_with(folder: Path, spec: str, **more: str) -> subprocess.CompletedProcess[str]:
    (folder / "protocols").mkdir(exist_ok=True)
    for name, text in {**HEADERS, **more}.items():
        (folder / "protocols" / f"{name}.py").write_text(text)
    (folder / "made.yaml").write_text(spec)
    command = [sys.executable, "-c", MAIN, str(folder / "protocols"), str(folder / "made.yaml"), "-o", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datapath]:
    folder = tmp_path_factory.mktemp("new")
    done = compile_with(folder, SPEC)
    assert done.returncode == 0, done.stdout + done.stderr
    with Datapath(folder / "made") as datapath:
        yield datapath


def comes(datapath: Datapath, port: int, header: bytes, inner: bytes) -> Outcome:
    outer = IP(src=PEER, dst=OWN[4], ttl=64) / UDP(sport=9, dport=port, chksum=0)
    return datapath.ingress(frame(bytes(outer / Raw(header + inner))))


def tcp(source: str, destination: str, sport: int, dport: int, flags: str = "S") -> bytes:
    return bytes(IP(src=source, dst=destination) / TCP(sport=sport, dport=dport, flags=flags))


def answered(datapath: Datapath, inner: bytes, port: int) -> bytes:
    """The header in front of the answer."""
    sent = datapath.egress(frame(inner)).frame[14:]
    udp = sent[20:28]
    assert (sent[:20][16:20].hex(), int.from_bytes(udp[2:4], "big")) == ("c0000209", port)
    assert int.from_bytes(udp[4:6], "big") == len(sent) - 20
    assert sent[2:4] == len(sent).to_bytes(2, "big")
    assert sent.endswith(inner)
    return sent[28 : -len(inner)]


def note(context: bytes, length: int | None = None) -> bytes:
    words = 2 + len(context) // 4 if length is None else length
    return (words << 16 | 0x0800).to_bytes(4, "big") + (0xC0FFEE00).to_bytes(4, "big") + context


@pytest.mark.parametrize("size", [0, 4, 60, 124])
def test_what_counts_the_whole_header(made: Datapath, size: int) -> None:
    header, port = note(bytes(range(1, size + 1))), 2000 + size
    came = comes(made, 6633, header, tcp("10.8.0.1", "10.1.0.1", port, 80))
    assert "ingress_rule_note" in came.counted
    assert came.frame[14:] == tcp("10.8.0.1", "10.1.0.1", port, 80)
    assert answered(made, tcp("10.1.0.1", "10.8.0.1", 80, port, "SA"), 6633).hex() == header.hex()


@pytest.mark.parametrize("length", [0, 1, 34, 63])
def test_a_header_that_is_too_short_or_too_long(made: Datapath, length: int) -> None:
    header = note(bytes(4 * max(length - 2, 0)), length)
    came = comes(made, 6633, header, tcp("10.8.0.1", "10.1.0.1", 1, 2))
    assert (came.verdict, list(came.counted)) == ("drop", ["refused_note__note_length"])


@pytest.mark.parametrize("size", [0, 8, 40])
def test_what_counts_bytes(made: Datapath, size: int) -> None:
    header, port = size.to_bytes(2, "big") + b"\x08\x00" + bytes(range(size)), 3000 + size
    came = comes(made, 6634, header, tcp("10.8.0.1", "10.2.0.1", port, 80))
    assert "ingress_rule_memo" in came.counted
    assert answered(made, tcp("10.2.0.1", "10.8.0.1", 80, port, "SA"), 6634).hex() == header.hex()


@pytest.mark.parametrize("size", [1, 2, 42, 44, 0xFFFC])
def test_no_whole_words_and_more_than_may_be(made: Datapath, size: int) -> None:
    header = size.to_bytes(2, "big") + b"\x08\x00" + bytes(min(size, 44))
    came = comes(made, 6634, header, tcp("10.8.0.1", "10.2.0.1", 1, 80))
    assert (came.verdict, list(came.counted)) == ("drop", ["refused_memo__memo_bytes"])


def test_a_part_that_the_spec_does_not_name(made: Datapath) -> None:
    """Without it the header is as long as its words, and another is refused."""
    inner = tcp("10.8.0.1", "10.3.0.1", 5, 80)
    assert "ingress_rule_bare" in comes(made, 6700, note(b""), inner).counted
    assert answered(made, tcp("10.3.0.1", "10.8.0.1", 80, 5, "SA"), 6700).hex() == note(b"").hex()
    for wrong in (note(bytes(4)), note(b"", 1), note(b"", 3)):
        came = comes(made, 6700, wrong, inner)
        assert (came.verdict, list(came.counted)) == ("drop", ["refused_bare__note_length"])


WHO, HOW = bytes.fromhex("01020101abcdef01"), bytes.fromhex("010242021122334455667788")


def tags(*options: bytes, length: int | None = None) -> bytes:
    data = b"".join(options)
    return bytes((0x80 | (4 + len(data) if length is None else length) // 2, 0xA5)) + b"\x08\x00" + data


def test_options(made: Datapath) -> None:
    inner = tcp("10.0.0.1", "10.9.0.1", 1, 2)
    assert answered(made, inner, 6635).hex() == tags(WHO, HOW).hex()
    back = tcp("10.9.0.1", "10.0.0.1", 2, 1)
    other = bytes.fromhex("0103010000000000")[:4]
    for options in ((WHO, HOW), (HOW, WHO), (WHO, other, HOW)):
        came = comes(made, 6635, tags(*options), back)
        assert (list(came.counted), came.frame[14:]) == (["ingress_rule_tags"], back)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (tags(WHO), "tags_options_missing"),
        (tags(WHO, WHO, HOW), "tags_options"),
        (tags(WHO, HOW[:-1] + b"\0"), "tags_option_how"),
        (tags(WHO, HOW, bytes.fromhex("01034100")), "tags_options_critical"),
        (tags(WHO, HOW, length=2), "tags_first"),
        (tags(WHO, HOW, length=6), "tags_first"),
        (tags(WHO, HOW, length=72), "tags_first"),
        (tags(WHO, HOW)[:1] + b"\xa4" + tags(WHO, HOW)[2:], "tags_first"),
    ],
)
def test_options_that_are_wrong(made: Datapath, header: bytes, why: str) -> None:
    came = comes(made, 6635, header, tcp("10.9.0.1", "10.0.0.1", 2, 1))
    assert (came.verdict, list(came.counted)) == ("drop", [f"refused_tags__{why}"])


OUR_MAC = bytes.fromhex(MAC.replace(":", ""))


@pytest.mark.parametrize("options", [(), (bytes.fromhex("01030100"),), (bytes.fromhex("0103010200000000000000ff"),)])
def test_lengths_behind_options(made: Datapath, options: tuple[bytes, ...]) -> None:
    """What follows options is found behind those that came in; with none sent, behind the words."""
    inner = tcp("10.7.0.1", "10.0.0.1", 2, 1)
    first = bytes((tags(*options, length=4 + len(b"".join(options)))[0] & 0x7F, 0xA5)) + b"\x88\xb5" + b"".join(options)
    ether = OUR_MAC * 2 + b"\x08\x00"

    def header(all_: int, rest: int) -> bytes:
        return first + all_.to_bytes(2, "big") + rest.to_bytes(2, "big") + b"\x65\x58" + ether

    size = len(ether + inner)
    came = comes(made, 6701, header(6 + size, size), inner)
    assert (list(came.counted), came.frame[14:]) == (["ingress_rule_sized"], inner)
    for wrong in ((7 + size, size), (6 + size, size + 1), (6 + size, size - 4), (2 + size, size)):
        came = comes(made, 6701, header(*wrong), inner)
        assert (came.verdict, list(came.counted)) == ("drop", ["refused_sized__length"])
    sent = made.egress(frame(tcp("10.0.0.1", "10.7.0.1", 1, 2))).frame[14:]
    assert sent[28:38].hex() == f"02a588b5{6 + size:04x}{size:04x}6558"


def test_two_in_one_stack(tmp_path: Path) -> None:
    """The program keeps one length: a second one is refused when compiling, with what to do."""
    names = NOTE.replace("NextProtocol(Space.ETHERTYPE)", 'NextProtocol("note", numbers=NUMBERS)')
    names = names.replace("HEADER = ", 'NUMBERS = {"ipv4": 1, "ipv6": 2, "tags": 3}\nHEADER = ')
    spec = (
        HEAD
        + """
encapsulations:
  both:
    - ip: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero}
    - tags: {}
    - mail: {}
endpoints:
  t: {key: destination, fields: {to: ip}, encapsulation: both, rows: [{destination: 10.0.0.0/8, to: 192.0.2.1}]}
egress: {rules: [{name: all, match: {destination: 10.0.0.0/8}, to: t}], default: pass}
"""
    )
    mail = TAGS.replace('"tags"', '"mail"').replace("Space.UDP_PORT: 6635", "Space.ETHERTYPE: 0x1234")
    mail = mail.replace("tags_critical", "mail_critical")
    done = compile_with(tmp_path, spec, note=names, mail=mail)
    assert done.returncode == 1
    assert "error[E405]: mail cannot follow tags: each of them has a variable-length part" in done.stderr
    assert "one variable-length part at most" in done.stderr
