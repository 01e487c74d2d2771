"""Host values whose names the loader, or the program, has uses of its own for."""

from __future__ import annotations

import pytest
from elftools.elf.elffile import ELFFile
from scapy.layers.inet import IP, UDP

from encap_compile.run.kernel.errors import NotPermittedError
from encap_compile.run.kernel.maps import Packed
from encap_compile.run.loader.compose import WORDS

from .datapath import Datapath
from .inner import frame
from .specs import HEAD, Compile

READ_ONLY = 1 << 7  # BPF_F_RDONLY_PROG
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


def test_host_values_are_a_frozen_map_of_their_own(compiled: Compile) -> None:
    """The object has none of them, so what is signed of it holds on every machine; once set, nobody can change them."""
    bundle = compiled(SPEC.replace("NAME", "label"))
    file = bundle / f"{bundle.name}.bpf.o"
    before = file.read_bytes()
    kept = set()
    for label in ("0x1", "0xabcde"):
        with Datapath(bundle, settings=(f"label={label}",)) as datapath, datapath.map(".rodata.host") as values:
            host = values.lookup(bytes(4))
            assert (host, values.info.flags & READ_ONLY) == (datapath.host, READ_ONLY)
            with pytest.raises(NotPermittedError):
                values.update(Packed(1, bytes(4), bytes(len(host))))
            kept.add(host)
    assert len(kept) == 2
    assert file.read_bytes() == before
    with file.open("rb") as stream:
        section = ELFFile(stream).get_section_by_name(".rodata.host")
        assert section is not None and not any(section.data())
