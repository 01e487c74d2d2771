"""IPv4, RFC 791."""

from ..model import Constant, Ecn, Field, FromSpec, Header, InternetChecksum, Length, NextProtocol, Receive, Space, Word

HEADER = Header(
    name="ipv4",
    title="Internet Protocol, version 4",
    reference="RFC 791",
    announced_as={Space.ETHERTYPE: 0x0800, Space.IP_PROTOCOL: 4},
    words=(
        Word(
            "version_ihl",
            (
                Field("version", 4, Constant(4), "always 4"),
                Field("ihl", 4, Length("header", unit=4), "header length in 32-bit words: 5, no options"),
            ),
            refusal="options",
        ),
        Word(
            "tos",
            (
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
            ),
        ),
        Word(
            "total_length",
            (
                Field(
                    "total_length",
                    16,
                    Length("datagram"),
                    "bytes of this header and all that follows",
                    Receive.VERIFY,
                ),
            ),
        ),
        Word(
            "id",
            (
                Field(
                    "identification",
                    16,
                    Constant(0),
                    "zero: with DF set the datagram is atomic and the field has no meaning (RFC 6864)",
                    Receive.IGNORE,
                ),
            ),
        ),
        Word(
            "fragment",
            (
                Field("reserved", 1, Constant(0), "always 0", Receive.IGNORE),
                Field(
                    "df", 1, Constant(1), "don't fragment: tunnel endpoints must not have to reassemble", Receive.IGNORE
                ),
                Field("mf", 1, Constant(0), "more fragments: never, on receive refused as a fragment"),
                Field("fragment_offset", 13, Constant(0), "always 0, on receive refused as a fragment"),
            ),
            refusal="fragment",
        ),
        Word(
            "ttl",
            (
                Field(
                    "ttl",
                    8,
                    FromSpec("u8", default=64, keywords=("inherit",), minimum=1),
                    "time to live; `inherit` copies the inner packet's TTL or hop limit",
                    Receive.IGNORE,
                ),
            ),
        ),
        Word("protocol", (Field("protocol", 8, NextProtocol(Space.IP_PROTOCOL), "what follows"),)),
        Word(
            "checksum",
            (Field("checksum", 16, InternetChecksum(), "over this header", Receive.VERIFY),),
            "header_checksum",
        ),
        Word(
            "saddr",
            # On receive the source is checked by the rule's `from` alone.
            (Field("source", 32, FromSpec("ipv4"), "the local tunnel endpoint", Receive.IGNORE),),
        ),
        Word(
            "daddr",
            (Field("destination", 32, FromSpec("ipv4"), "the remote tunnel endpoint", Receive.EXCHANGE, "source"),),
        ),
    ),
)
