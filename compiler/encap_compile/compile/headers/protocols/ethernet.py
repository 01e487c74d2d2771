"""Ethernet II as the inner frame of a layer 2 encapsulation."""

from ..model import Field, FromSpec, Header, NextProtocol, Receive, Space, Word

HEADER = Header(
    name="ethernet",
    title="Ethernet II",
    reference="IEEE 802.3; RFC 894, RFC 2464",
    announced_as={Space.ETHERTYPE: 0x6558},  # Transparent Ethernet Bridging, RFC 1701
    words=(
        Word(
            "destination",
            (Field("destination", 48, FromSpec("mac"), "the peer's inner MAC", Receive.EXCHANGE, "source"),),
        ),
        # A frame to every station or to a group is for us too; one to another station's MAC is refused.
        # Who sent it is checked by the outer source alone: a gateway may stand between.
        Word("source", (Field("source", 48, FromSpec("mac"), "our inner MAC", Receive.IGNORE),)),
        Word("type", (Field("type", 16, NextProtocol(Space.ETHERTYPE, tagged=True), "what the frame carries"),)),
    ),
)
