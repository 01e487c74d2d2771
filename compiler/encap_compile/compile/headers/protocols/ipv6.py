"""IPv6, RFC 8200."""

from ..model import Constant, Ecn, Field, FromSpec, Header, Length, NextProtocol, Receive, Space, Word

HEADER = Header(
    name="ipv6",
    title="Internet Protocol, version 6",
    reference="RFC 8200, section 3",
    announced_as={Space.ETHERTYPE: 0x86DD, Space.IP_PROTOCOL: 41},
    words=(
        Word(
            "version_class_label",
            (
                Field("version", 4, Constant(6), "always 6"),
                Field(
                    "dscp",
                    6,
                    FromSpec("dscp", default=0, keywords=("inherit",)),
                    "differentiated services code point (RFC 2474); `inherit` copies the inner packet's",
                    Receive.IGNORE,
                ),
                Field(
                    "ecn", 2, Ecn(), "explicit congestion notification (RFC 3168), always by RFC 6040", Receive.VERIFY
                ),
                Field(
                    "flow_label",
                    20,
                    FromSpec("u20", default=0, keywords=("flow",)),
                    "flow label (RFC 6437); `flow` gives each inner flow its own (RFC 6438)",
                    Receive.IGNORE,
                ),
            ),
            refusal="version",
        ),
        Word(
            "payload_length",
            (
                Field(
                    "payload_length",
                    16,
                    Length("payload"),
                    "bytes that follow this header",
                    Receive.VERIFY,
                ),
            ),
        ),
        Word("next_header", (Field("next_header", 8, NextProtocol(Space.IP_PROTOCOL), "what follows"),)),
        Word(
            "hop_limit",
            (
                Field(
                    "hop_limit",
                    8,
                    FromSpec("u8", default=64, keywords=("inherit",), minimum=1),
                    "hop limit; `inherit` copies the inner packet's TTL or hop limit",
                    Receive.IGNORE,
                ),
            ),
        ),
        Word(
            "saddr",
            # On receive the source is checked by the rule's `from` alone.
            (Field("source", 128, FromSpec("ipv6"), "the local tunnel endpoint", Receive.IGNORE),),
        ),
        Word(
            "daddr",
            (Field("destination", 128, FromSpec("ipv6"), "the remote tunnel endpoint", Receive.EXCHANGE, "source"),),
        ),
    ),
)
