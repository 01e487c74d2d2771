"""Host values whose names the loader, or the program, has uses of its own for."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP

from encap_compile.loader.compose import WORDS

from .datapath import Datapath
from .inner import frame
from .specs import HEAD, Compile

SPEC = (
    HEAD.replace("host: {", "host: {NAME: u20, ")
    + """
encapsulations:
  e:
    - ipv6: {source: host.address, destination: "2001:db8::1", flow_label: host.NAME, dscp: cs1}
    - udp: {source_port: flow, checksum: zero}
    - vxlan: {vni: host.NAME}
    - ethernet: {source: host.uplink.mac, destination: endpoint.mac}
endpoints:
  one: {key: destination, fields: {mac: mac}, encapsulation: e, rows: [
    {destination: 10.0.0.2, mac: "02:00:00:00:00:01"}]}
egress: {rules: [{name: some, match: {protocol: udp, destination_port: 7}, to: one}], default: pass}
"""
)


@pytest.mark.parametrize("name", [*sorted(WORDS), "mtu", "pad", "host"])
def test_names_that_the_loader_has_words_for(compiled: Compile, name: str) -> None:
    with Datapath(compiled(SPEC.replace("NAME", name)), settings=(f"{name}=0xabcde",)) as datapath:
        outer = datapath.egress(frame(IP(src="10.0.0.1", dst="10.0.0.2") / UDP(dport=7))).frame[14:]
    assert outer[:4].hex() == "620abcde"
    assert outer[52:55].hex() == "0abcde"
