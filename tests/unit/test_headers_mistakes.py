"""A header's description that is wrong is refused when it is loaded, with what to write."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from encap_compile.compile.headers.catalogue import headers
from encap_compile.compile.headers.mistakes import mistakes, mistakes_together
from encap_compile.compile.headers.model import (
    Constant,
    Critical,
    Ecn,
    Field,
    FromSpec,
    Header,
    InternetChecksum,
    Length,
    NextProtocol,
    Opaque,
    Options,
    Presence,
    Receive,
    Reserved,
    Role,
    Scope,
    Space,
    Word,
)

NEXT = Word("type", (Field("type", 16, NextProtocol(Space.ETHERTYPE), "what follows"),))
UDP = {Space.UDP_PORT: 1}
OCTET = Word("two", (Field("two", 8, Reserved(), "zero"),))
B = Word("b", (Field("b", 16, Reserved(), ""),))
PAD = Word("pad", (Field("pad", 16, Reserved(), "zero"),))


def header(*words: Word, **more: Any) -> Header:
    """A header that is right, but for what is given."""
    given = {"announced_as": {Space.UDP_PORT: 7777}, **more}
    return Header(given.pop("name", "toy"), "Toy", "none", (*words, NEXT), **given)


def only(role: Role, bits: int) -> Header:
    """A header of one word."""
    return Header("toy", "Toy", "none", (word(role, bits),), UDP)


def word(role: Role, bits: int = 8, name: str = "one", **more: Any) -> Word:
    """A word of one field, filled up to 8, 16 or 32 bits."""
    width = next(w for w in (8, 16, 32, 48, 128, 999) if bits <= w)
    rest = (Field("rest", width - bits, Reserved(), "zero"),) if width > bits and bits > 0 else ()
    return Word(name, (*rest, Field(name, bits, role, "a field", **more)))


WRONG: dict[str, tuple[Header, str]] = {
    "a type wider than its field": (
        header(word(FromSpec("u8"), 3), OCTET),
        'one: 3 bits, and a value of type u8 has 8: write FromSpec("u3")',
    ),
    "a port in 20 bits": (
        header(word(FromSpec("port"), 20)), 'one: 20 bits, and a value of type port has 16: write FromSpec("u20")'
    ),
    "a MAC address in 32 bits": (
        header(word(FromSpec("mac"), 32)), 'one: 32 bits, and a value of type mac has 48: write FromSpec("u32")'
    ),
    "no such type": (header(word(FromSpec("int"), 16)), "one: there is no type `int`: write u16"),
    "a constant too large": (header(word(Constant(4), 2, "one"), OCTET), "does not fit into 2 bits"),
    "a default too large": (header(word(FromSpec("u16", default=65536), 16)), "default 65536 is no value of it"),
    "a default below the minimum": (header(word(FromSpec("u16", default=1, minimum=2), 16)), "less than its minimum"),
    "a default that is no keyword": (header(word(FromSpec("u16", default="flow"), 16)), "add it to `keywords`"),
    "a keyword unknown": (header(word(FromSpec("u16", keywords=("hash",)), 16)), "`hash` is no keyword"),
    "inherit of what no packet has": (header(word(FromSpec("u16", keywords=("inherit",)), 16)), "leave it out"),
    "keywords missing": (header(word(FromSpec("keyword"), 16)), "write `keywords`"),
    "a bare value too large": (header(word(FromSpec("bit", bare=2), 1), OCTET), "bare 2 is no value"),
    "24 bits": (header(Word("one", (Field("one", 24, Reserved(), ""),))), "24 bits do not make a C member"),
    "64 bits": (header(Word("one", (Field("one", 64, Reserved(), ""),))), "64 bits do not make a C member"),
    "48 bits that are no MAC address": (header(word(Reserved(), 48)), "split it into words of 32, 16 and 8 bits"),
    "128 bits of two fields": (
        header(Word("one", (Field("a", 64, Reserved(), ""), Field("b", 64, Reserved(), "")))),
        "a word of 128 bits is one field of type ipv6",
    ),
    "misaligned": (header(PAD, word(FromSpec("u32"), 32)), "one: stands at byte 2, and a word of 32 bits"),
    "misaligned without the optional word": (
        header(word(FromSpec("u16", optional=True), 16, "maybe"), PAD, word(FromSpec("u32"), 32)),
        "one: stands at byte 2",
    ),
    "padding at the end": (header(word(FromSpec("u32"), 32)), "words: 6 bytes with a word of 32 bits"),
    "two fields of one name": (header(word(Reserved(), 16), Word("two", word(Reserved(), 16).fields)), "two fields"),
    "two words of one name": (header(word(Reserved(), 16), Word("one", B.fields)), "two words"),
    "a C keyword": (header(word(Reserved(), 16, "register")), "register: cannot be a word's name"),
    "a name that a second header would have": (header(PAD, name="toy_2"), "name: `toy_2` cannot be a header's"),
    "the name that is either family": (header(PAD, name="ip"), "name: `ip` cannot be a header's"),
    "refusals of one name": (
        header(Word("a", PAD.fields, refusal="bad"), Word("b", B.fields, refusal="bad")),
        "bad: two refusals of one name share a counter",
    ),
    "a refusal of every stack": (header(Word("a", PAD.fields, refusal="length")), 'write `refusal="toy_length"`'),
    "a refusal that is no word": (header(Word("a", PAD.fields, refusal="not right")), "not right: cannot be a refusal"),
    "an optional field that shares its word": (
        header(word(FromSpec("u4", optional=True), 4), OCTET), "give it a word of its own"
    ),
    "presence of nothing": (
        header(Word("one", (Field("one", 1, Presence("key"), ""), Field("rest", 15, Reserved(), "")))),
        "there is no optional field `key`",
    ),
    "critical without options": (
        header(Word("one", (Field("one", 1, Critical(), ""), Field("rest", 15, Reserved(), "")))), "has no options"
    ),
    "a length of nothing": (header(word(Length("all"), 16)), "there is no extent `all`"),
    "a length in words": (header(word(Length("payload", unit=4), 16)), "in bytes: make it one"),
    "a length that shares its word": (header(word(Length("datagram"), 12)), "a word of 16 bits of its own"),
    "a header length in a wrong unit": (header(word(Length("header", unit=8), 16)), "4 bytes are no whole number of 8"),
    "a length of no part": (header(word(Length("variable", unit=4), 16)), "the header has no variable-length part"),
    "a checksum over the payload": (header(word(InternetChecksum(Scope.PAYLOAD), 16)), "nor checked by the program"),
    "a checksum over a pseudo-header": (
        header(word(InternetChecksum(Scope.PSEUDO_HEADER, zero_is_none=True), 16)),
        'where zero means none, write FromSpec("keyword", keywords=("zero",))',
    ),
    "a checksum over a variable-length part": (
        header(
            word(InternetChecksum(), 16),
            Word("count", (Field("n", 16, Length("variable", unit=4), ""),)),
            variable=Field("data", 64, Opaque(8), ""),
        ),
        "leave `variable` out",
    ),
    "a checksum that is compared": (header(word(InternetChecksum(), 16)), "write Receive.VERIFY, or Receive.IGNORE"),
    "a checksum over an address": (
        header(word(FromSpec("mac"), 48, "mac"), word(InternetChecksum(), 16)), "words of 48 or 128 bits"
    ),
    "a checksum over an odd byte": (
        Header("toy", "Toy", "none", (word(InternetChecksum(), 16), word(NextProtocol(Space.IP_PROTOCOL), 8)), UDP),
        "add 8 bits",
    ),
    "ECN of one bit": (header(word(Ecn(), 1), OCTET), "ECN has two bits"),
    "an exchange with nobody": (header(word(FromSpec("u16"), 16, receive=Receive.EXCHANGE, peer="x")), "no field `x`"),
    "a peer without an exchange": (header(word(FromSpec("u16"), 16, peer="type")), "Receive.EXCHANGE alone"),
    "a constant that is right in itself": (header(word(Constant(1), 16, receive=Receive.VERIFY)), "Receive.MATCH"),
    "an ethertype in 8 bits": (
        only(NextProtocol(Space.ETHERTYPE), 8),
        "8 bits, and ethertype has 16",
    ),
    "an IP protocol that a spec sets": (
        only(NextProtocol(Space.IP_PROTOCOL, settable=True), 8),
        "leave `settable` out",
    ),
    "two that name what follows": (header(word(NextProtocol(Space.ETHERTYPE), 16)), "keep one NextProtocol"),
    "nothing names what follows": (Header("toy", "Toy", "none", (PAD,), UDP), "write a NextProtocol field"),
    "a space without numbers": (
        only(NextProtocol("toys"), 8),
        "the space `toys` has no numbers: state them",
    ),
    "numbers in a space of others": (
        only(NextProtocol(Space.IP_PROTOCOL, numbers={"ipv4": 1}), 8),
        "is not the header's own",
    ),
    "a number for one family": (
        only(NextProtocol("toys", numbers={"ipv4": 1}), 8),
        "ipv4 has a number in toys and ipv6 has none",
    ),
    "a number too large": (
        only(NextProtocol("toys", numbers={"ipv4": 1, "ipv6": 256}), 8),
        "the number 256 of ipv6 does not fit into 8 bits",
    ),
    "a number twice": (
        only(NextProtocol("toys", numbers={"ipv4": 1, "ipv6": 1}), 8),
        "1 is the number of ipv4 and of ipv6",
    ),
    "a number of nobody": (
        only(NextProtocol("toys", numbers={"nobody": 4}), 8),
        "there is no header `nobody` to have a number",
    ),
    "announced nowhere": (header(PAD, announced_as={}), "nothing can announce it"),
    "announced in a space of nobody": (header(PAD, announced_as={"toys": 1}), "names another in the space `toys`"),
    "announced by a number that is none": (header(PAD, announced_as={Space.IP_PROTOCOL: 300}), "300 is no number"),
    "carries nobody": (header(PAD, carries=("nobody",)), "there is no header `nobody`"),
    "carries what it cannot name": (header(PAD, carries=("vxlan",)), "vxlan has no number in ethertype"),
    "another's refusal": (header(Word("a", PAD.fields, refusal="vni")), "vni: vxlan has a refusal of that name"),
    "a part that nothing counts": (header(PAD, variable=Field("rest", 992, Opaque(124), "")), "nothing counts it"),
    "a part longer than its count": (
        header(
            Word("one", (Field("n", 5, Length("variable", unit=4), ""), Field("rest", 11, Reserved(), ""))),
            variable=Field("data", 2016, Opaque(252), ""),
        ),
        "252 bytes at most, and n can count 124",
    ),
    "an option's head of another form": (
        header(
            Word("one", (Field("n", 6, Length("variable", unit=4), ""), Field("rest", 10, Reserved(), ""))),
            variable=Field("data", 2016, Options(252, word(FromSpec("u32"), 32, "type"), 0x80), ""),
        ),
        "an option's head is class 16, type 8",
    ),
}  # fmt: skip


def found(wrong: Header) -> list[str]:
    known = {**headers(), wrong.name: wrong}
    with_numbers = {n: replace(h, announced_as={**h.announced_as, **_numbers(wrong, n)}) for n, h in known.items()}
    return [*mistakes(wrong), *(words for name, words in mistakes_together(with_numbers) if name == wrong.name)]


def _numbers(wrong: Header, name: str) -> dict[str, int]:
    roles = [f.role for f in wrong.fields() if isinstance(f.role, NextProtocol)]
    return {role.space: role.numbers[name] for role in roles if name in role.numbers}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_named(name: str) -> None:
    wrong, words = WRONG[name]
    said = found(wrong)
    assert any(words in one for one in said), said
    assert all(one.count(": ") >= 2 for one in said), said  # where, what, and what to write


def test_the_catalogue_has_none() -> None:
    assert [m for h in headers().values() for m in mistakes(h)] == []
    assert list(mistakes_together(headers())) == []


@pytest.mark.parametrize("bits", range(1, 33))
def test_a_number_as_wide_as_its_field(bits: int) -> None:
    assert not [m for m in found(header(PAD, word(FromSpec(f"u{bits}"), bits))) if m.startswith("one:") and "type" in m]


TOY = """\
from encap_compile.compile.headers.model import *
HEADER = Header('toy', 'Toy', 'none', announced_as={Space.UDP_PORT: 7}, words=(
    Word('one', (Field('level', 3, FromSpec('u8'), 'x'), Field('rest', 13, Reserved(), 'x'))),
    Word('next', (Field('next', 16, NextProtocol(Space.ETHERTYPE), 'x'),))))
"""


def said(folder: Path, text: str) -> str:
    """What `encap-compile check` says where a description stands beside the others."""
    folder.mkdir()
    (folder / "toy.py").write_text(text)
    run = (
        "import sys; from encap_compile.compile.headers import protocols; protocols.__path__.append(sys.argv.pop(1)); "
        "from encap_compile.cli import main; main()"
    )
    spec = Path(__file__).parents[2] / "examples" / "ipip-sites.yaml"
    command = [sys.executable, "-c", run, str(folder), "check", str(spec)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "error[E570]" in done.stderr and "Traceback" not in done.stderr
    return done.stderr


def test_the_compiler_says_it(tmp_path: Path) -> None:
    """A file with a mistake: the place, the mistake and what to write, exit 1, and nothing else."""
    words = said(tmp_path / "protocols", TOY)
    assert "level: 3 bits, and a value of type u8 has 8" in words
    assert 'write FromSpec("u3")' in words
    assert str(tmp_path / "protocols" / "toy.py") in words


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Reserved()", "Resrved()", ("NameError: name 'Resrved' is not defined", "toy.py:3\n")),
        ("),))))", "),)))", ("SyntaxError: '(' was never closed", "toy.py:2\n")),
        ("Field('level', 3,", "Field('level',", ("TypeError: Field(name, bits, ", "toy.py:3\n")),
        ("HEADER =", "HEAD =", ("no HEADER", "write HEADER = Header(...)")),
    ],
)
def test_a_description_that_cannot_be_read(tmp_path: Path, old: str, new: str, words: tuple[str, str]) -> None:
    """A mistake in the Python of a description is its writer's, and no bug of the compiler."""
    found = said(tmp_path / "protocols", TOY.replace("'u8'", "'u3'").replace(old, new))
    assert all(word in found for word in words) and "a bug of encap-compile" not in found
