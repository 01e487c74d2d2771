"""GRE, RFC 2784, with the key of RFC 2890."""

from ..model import Constant, Field, FromSpec, Header, NextProtocol, Presence, Receive, Reserved, Space, Word

HEADER = Header(
    name="gre",
    title="Generic Routing Encapsulation",
    reference="RFC 2784, RFC 2890",
    announced_as={Space.IP_PROTOCOL: 47},
    doc="Without checksum and sequence number: neither survives segmentation offload.",
    words=(
        Word(
            "flags_version",
            (
                Field("checksum_present", 1, Constant(0), "C: no checksum"),
                Field("routing_present", 1, Constant(0), "R of RFC 1701: never"),
                Field("key_present", 1, Presence("key"), "K: the key is there"),
                Field("sequence_present", 1, Constant(0), "S: no sequence number"),
                Field("reserved0", 2, Constant(0), "zero, discarded if not (RFC 2784, section 2.3)"),
                Field("reserved1", 7, Reserved(), "zero, ignored on receive", Receive.IGNORE),
                Field("version", 3, Constant(0), "always 0"),
            ),
            refusal="gre_flags",
        ),
        Word("protocol", (Field("protocol", 16, NextProtocol(Space.ETHERTYPE), "what follows"),)),
        Word(
            "key",
            (
                Field(
                    "key",
                    32,
                    FromSpec("u32", optional=True, identifies=True),
                    "distinguishes tunnels or tenants between the same endpoints; left out if the spec gives none",
                ),
            ),
        ),
    ),
)
