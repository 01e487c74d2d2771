"""Geneve, RFC 8926."""

from ..model import (
    Constant,
    Critical,
    Field,
    FromSpec,
    Header,
    Length,
    NextProtocol,
    Options,
    Receive,
    Reserved,
    Space,
    Word,
)

OPTION = Word(
    "option",
    (
        Field("class", 16, FromSpec("u16"), "who defines the type (IANA Geneve option classes)"),
        Field("type", 8, FromSpec("u8"), "what the data are; with the bit 0x80 a receiver must know it"),
        Field("reserved", 3, Reserved(), "zero, ignored on receive", Receive.IGNORE),
        Field("length", 5, Length("variable", unit=4), "of the data, in 32-bit words"),
    ),
)

HEADER = Header(
    name="geneve",
    title="Generic Network Virtualization Encapsulation",
    reference="RFC 8926, section 3.4",
    announced_as={Space.UDP_PORT: 6081},
    merged_by="geneve",  # geneve_gro_receive()
    doc="Options that the spec does not list are refused on receive if their type is critical, else passed over.",
    words=(
        Word(
            "version_length",
            (
                Field("version", 2, Constant(0), "always 0", refusal="geneve_version"),
                Field(
                    "option_length", 6, Length("variable", unit=4), "of all options, in 32-bit words", Receive.VERIFY
                ),
            ),
        ),
        Word(
            "flags",
            (
                Field("control", 1, Constant(0), "O: this is data, no control message", refusal="geneve_control"),
                # What the options themselves say counts.
                Field("critical", 1, Critical(), "C: one of the options is critical", Receive.IGNORE),
                Field("reserved1", 6, Reserved(), "zero, ignored on receive", Receive.IGNORE),
            ),
        ),
        Word("protocol", (Field("protocol", 16, NextProtocol(Space.ETHERTYPE), "what follows"),)),
        Word(
            "vni",
            (
                Field("vni", 24, FromSpec("u24", identifies=True), "virtual network identifier"),
                Field("reserved2", 8, Reserved(), "zero, ignored on receive", Receive.IGNORE),
            ),
        ),
    ),
    variable=Field("options", 2016, Options(most=252, head=OPTION, critical=0x80), "options, in the order written"),
)
