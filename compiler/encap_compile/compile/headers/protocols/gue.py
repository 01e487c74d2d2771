"""Generic UDP Encapsulation, draft-ietf-intarea-gue."""

from ..model import Constant, Field, FromSpec, Header, Length, NextProtocol, Opaque, Reserved, Space, Word

HEADER = Header(
    name="gue",
    title="Generic UDP Encapsulation",
    reference="draft-ietf-intarea-gue-09, section 3",
    announced_as={Space.UDP_PORT: 6080},
    doc="Variant 1 has no header: an IP packet follows UDP at once, and its version tells it from variant 0.",
    words=(
        Word(
            "version_length",
            (
                Field(
                    "variant",
                    2,
                    FromSpec("bit", default=0, bare=1),
                    "0, or 1 for none of this header; in variant 1 these are the first bits of the inner IP version",
                    refusal="gue_variant",
                ),
                Field("control", 1, Constant(0), "C: this is data, no control message", refusal="gue_control"),
                Field(
                    "hlen",
                    5,
                    Length("variable", unit=4),
                    "length of what stands behind this header, in 32-bit words",
                    refusal="gue_private",
                ),
            ),
        ),
        Word("protocol", (Field("protocol", 8, NextProtocol(Space.IP_PROTOCOL), "what follows"),)),
        Word("flags", (Field("flags", 16, Reserved(), "no optional field is there; a receiver must know all flags"),)),
    ),
    variable=Field("private", 992, Opaque(most=124), "private data, by agreement of the tunnel endpoints"),
)
