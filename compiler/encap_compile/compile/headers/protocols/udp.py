"""UDP as the transport of a tunnel, RFC 768."""

from ..model import Field, FromSpec, Header, Length, NextProtocol, Receive, Space, Word

HEADER = Header(
    name="udp",
    title="User Datagram Protocol",
    reference="RFC 768",
    announced_as={Space.IP_PROTOCOL: 17},
    words=(
        Word(
            "source_port",
            (
                Field(
                    "source_port",
                    16,
                    FromSpec("port", default="flow", keywords=("flow",)),
                    "`flow` (the default) derives a port of 49152-65535 from the inner flow, so that routers can "
                    "spread flows over paths (RFC 7348, section 5; RFC 6335, section 6)",
                    Receive.IGNORE,
                ),
            ),
        ),
        Word(
            "destination_port",
            (
                Field(
                    "destination_port",
                    16,
                    NextProtocol(Space.UDP_PORT, settable=True),
                    "names the header that follows; the default is that protocol's own port",
                ),
            ),
        ),
        Word(
            "length",
            (
                Field(
                    "length",
                    16,
                    Length("datagram"),
                    "bytes of this header and all that follows",
                    Receive.VERIFY,
                ),
            ),
        ),
        Word(
            "checksum",
            (
                Field(
                    "checksum",
                    16,
                    FromSpec("keyword", default=None, keywords=("zero",)),
                    "`zero` sends none; over IPv6 that is a deliberate choice which the receiver must accept "
                    "(RFC 6935, RFC 6936)",
                    Receive.IGNORE,
                ),
            ),
        ),
    ),
)
