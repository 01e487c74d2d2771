"""VXLAN, RFC 7348."""

from ..model import Constant, Field, FromSpec, Header, Receive, Reserved, Space, Word

HEADER = Header(
    name="vxlan",
    title="Virtual eXtensible Local Area Network",
    reference="RFC 7348, section 5",
    announced_as={Space.UDP_PORT: 4789},
    carries=("ethernet",),
    merged_by="vxlan",  # vxlan_gro_receive()
    words=(
        Word(
            "flags",
            (
                Field("flags", 8, Constant(0x08), "the I flag: the VNI is valid"),
                Field("reserved1", 24, Reserved(), "zero, ignored on receive", Receive.IGNORE),
            ),
        ),
        Word(
            "vni",
            (
                Field("vni", 24, FromSpec("u24", identifies=True), "VXLAN network identifier"),
                Field("reserved2", 8, Reserved(), "zero, ignored on receive", Receive.IGNORE),
            ),
            refusal="vni",
        ),
    ),
)
