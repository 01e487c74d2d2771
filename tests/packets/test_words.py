"""Words of the language that no example uses, each in a spec of its own."""

from __future__ import annotations

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from .datapath import MAC, OWN, Datapath
from .inner import frame, ip, packet
from .specs import HEAD, Compile

TABLE = """
endpoints:
  all: {{key: destination, fields: {fields}, encapsulation: e, rows: [{{destination: {prefix}, {row}}}]}}
egress: {{rules: [{{name: all, match: {{destination: {prefix}}}, to: all}}], default: pass}}
"""


def table(fields: str, row: str, prefix: str = "10.0.0.0/8") -> str:
    return TABLE.format(fields="{" + fields + "}", row=row, prefix=prefix)


def test_values_of_the_packet(compiled: Compile) -> None:
    """The DSCP and TTL of the inner packet outside, the flow as label."""
    text = (
        HEAD
        + """
encapsulations:
  e:
    - ipv6: {source: host.address, destination: endpoint.to, dscp: inherit, hop_limit: inherit, flow_label: flow}
    - udp: {checksum: zero, source_port: 4000}
    - vxlan: {vni: 77}
    - ethernet: {source: host.uplink.mac, destination: "02:00:00:00:00:99"}
"""
        + table("to: ipv6", 'to: "2001:db8::9"')
    )
    inner = packet("tcp", "10.0.0.1", "10.0.0.2", 46 << 2 | 2)
    labels = set()
    with Datapath(compiled(text)) as datapath:
        for mark in (0, 0xFFFFFFFF):
            out = datapath.egress(frame(inner), mark=mark).frame[14:]
            label = int.from_bytes(out[:4], "big") & 0xFFFFF
            labels.add(label)
            head = IPv6(src=OWN[6], dst="2001:db8::9", tc=46 << 2 | 2, fl=label, hlim=63)
            ether = Ether(dst="02:00:00:00:00:99", src=MAC, type=0x0800)
            expected = head / UDP(sport=4000, dport=4789, chksum=0) / VXLAN(flags=8, vni=77) / ether / Raw(inner)
            assert out.hex() == bytes(expected).hex()
    assert len(labels) == 1 and labels != {0}


def test_a_mark_as_key(compiled: Compile) -> None:
    text = (
        HEAD
        + "encapsulations: {e: [{ip: {source: host.address, destination: endpoint.to}}, {gre: {key: packet.mark}}]}"
        + table("to: ip", "to: 192.0.2.9")
    )
    inner = packet("tcp", "10.0.0.1", "10.0.0.2")
    with Datapath(compiled(text)) as datapath:
        for mark in (0, 1, 0x01020304, 0xFFFFFFFF):
            out = datapath.egress(frame(inner), mark=mark).frame[14:]
            head = IP(src=OWN[4], dst="192.0.2.9", id=0, flags="DF", ttl=64)
            assert out.hex() == bytes(head / GRE(key_present=1, key=mark, proto=0x0800) / Raw(inner)).hex()


def test_refuse_pass(compiled: Compile) -> None:
    text = (
        HEAD
        + """
encapsulations: {e: [{ip: {source: host.address, destination: endpoint.to}}]}
"""
        + table("to: ip", "to: 192.0.2.1")
        + """
ingress: {refuse: pass, rules: [{name: in, decapsulate: e, from: all.to}]}
"""
    )
    with Datapath(compiled(text)) as datapath:
        given = frame(IP(src="198.51.100.1", dst=OWN[4], proto=4) / Raw(packet("tcp", "10.0.0.2", "10.0.0.1")))
        outcome = datapath.ingress(given)
        assert (outcome.verdict, outcome.frame, list(outcome.counted)) == ("pass", given, ["refused_e__source"])


def test_default_drop_keeps_the_link_alive(compiled: Compile) -> None:
    text = HEAD + "egress: {rules: [{name: a, match: {destination: 10.0.0.0/8}, action: pass}], default: drop}\n"
    with Datapath(compiled(text)) as datapath:
        for source, destination, counter in (
            ("192.0.2.1", "10.0.0.1", "rule_a"), ("192.0.2.1", "11.0.0.1", "default"),
            ("fd00::1", "fd00::2", "default"),
            ("192.0.2.1", "169.254.0.1", "link_local"), ("192.0.2.1", "224.0.0.251", "link_local"),
            ("192.0.2.1", "224.0.1.1", "default"), ("fe80::1", "ff02::fb", "link_local"),
            ("fd00::1", "ff05::1", "default"),
        ):  # fmt: skip
            outcome = datapath.egress(frame(packet("udp-odd", source, destination)))
            assert list(outcome.counted) == [f"egress_{counter}"], destination
            assert outcome.verdict == ("drop" if counter == "default" else "pass")


INGRESS = (
    HEAD
    + """
encapsulations: {e: [{ip: {source: host.address, destination: endpoint.to}}]}
"""
    + table("to: ip", "to: 192.0.2.1")
)


def test_rules_on_inner_packets(compiled: Compile) -> None:
    """First match wins on receive, too; a mark that is a number."""
    text = (
        INGRESS
        + """
ingress:
  rules:
    - {name: web, decapsulate: e, from: all.to, match: {protocol: tcp, destination_port: 80}, set_mark: 7}
    - {name: lab, decapsulate: e, from: [198.51.100.0/24, "2001:db8::/32"], match: {source: 10.9.0.0/16}, set_mark: 8}
    - {name: six, decapsulate: e, from: any, match: {destination: "fd00::/8"}}
"""
    )
    from scapy.layers.inet import TCP

    web = bytes(ip("10.1.0.1", "10.0.0.1") / TCP(dport=80))
    lab = packet("udp-long", "10.9.0.1", "10.0.0.1")
    six = packet("udp-long", "fd00::2", "fd00::1")
    cases = [
        ("192.0.2.1", web, "ingress_rule_web", 7), ("192.0.2.2", web, "refused_e__match", 1),
        ("192.0.2.1", lab, "refused_e__match", 1), ("198.51.100.9", lab, "ingress_rule_lab", 8),
        ("2001:db8::5", lab, "ingress_rule_lab", 8), ("2001:db9::5", lab, "refused_e__match", 1),
        ("203.0.113.1", six, "ingress_rule_six", 1), ("2001:db9::1", six, "ingress_rule_six", 1),
        # A later fragment shows no ports, and nobody is let in who might not be meant.
        ("192.0.2.1", packet("later-fragment", "10.1.0.1", "10.0.0.1"), "refused_e__match", 1),
    ]  # fmt: skip
    with Datapath(compiled(text)) as datapath:
        for source, inner, counter, mark in cases:
            proto = 4 if inner[0] >> 4 == 4 else 41
            head = IPv6(src=source, dst=OWN[6], nh=proto) if ":" in source else IP(src=source, dst=OWN[4], proto=proto)
            outcome = datapath.ingress(frame(bytes(head / Raw(inner)), 0x86DD if ":" in source else 0x0800), mark=1)
            assert (list(outcome.counted), outcome.mark) == ([counter], mark), source
            assert (outcome.verdict == "drop") == counter.startswith("refused")


def test_many_sources(compiled: Compile) -> None:
    """More prefixes than are compared one by one."""
    prefixes = [f"198.51.{i}.0/24" for i in range(20)] + [f"2001:db8:{i}::/48" for i in range(20)]
    listed = ", ".join(f'"{p}"' for p in prefixes)
    text = (
        INGRESS
        + f"""
ingress: {{rules: [{{name: in, decapsulate: e, from: [{listed}]}}]}}
"""
    )
    inner = packet("udp-long", "10.1.0.1", "10.0.0.1")
    with Datapath(compiled(text)) as datapath:
        for i in (0, 7, 19, 20, 255):
            for head in (IP(src=f"198.51.{i}.9", dst=OWN[4], proto=4), IPv6(src=f"2001:db8:{i}::9", dst=OWN[6], nh=4)):
                outcome = datapath.ingress(frame(bytes(head / Raw(inner)), 0x0800 if head.version == 4 else 0x86DD))
                # In the IPv6 prefixes the number is read as hexadecimal.
                expected = i in range(20)
                assert list(outcome.counted) == ["ingress_rule_in" if expected else "refused_e__source"], head


def test_another_port_and_host_values(compiled: Compile) -> None:
    """8472, a VNI and a MAC that differ per machine."""
    text = (
        HEAD.replace("host: {", "host: {vni: u24, gateway: mac, ")
        + """
encapsulations:
  e:
    - ip: {source: host.address, destination: endpoint.to, ttl: 9, dscp: 10}
    - udp: {checksum: zero, destination_port: 8472, source_port: 1}
    - vxlan: {vni: host.vni}
    - ethernet: {source: "02:00:00:00:00:01", destination: host.gateway}
"""
        + table("to: ip", "to: 192.0.2.9")
        + """
ingress: {rules: [{name: in, decapsulate: e, from: all.to}]}
"""
    )
    inner = packet("tcp", "10.0.0.1", "10.0.0.2", 3)
    with Datapath(compiled(text), settings=("vni=0xabcdef", "gateway=02:00:00:00:00:99")) as datapath:
        out = datapath.egress(frame(inner)).frame[14:]
        head = IP(src=OWN[4], dst="192.0.2.9", tos=10 << 2 | 3, id=0, flags="DF", ttl=9)
        ether = Ether(dst="02:00:00:00:00:99", src="02:00:00:00:00:01", type=0x0800)
        vxlan = UDP(sport=1, dport=8472, chksum=0) / VXLAN(flags=8, vni=0xABCDEF)
        assert out.hex() == bytes(head / vxlan / ether / Raw(inner)).hex()
        for vni, mac, counter in (
            (0xABCDEF, "02:00:00:00:00:01", "ingress_rule_in"), (0xABCDEE, "02:00:00:00:00:01", "refused_e__vni"),
            (0xABCDEF, "02:00:00:00:00:99", "refused_e__ethernet_destination"),
        ):  # fmt: skip
            received = IP(src="192.0.2.9", dst=OWN[4]) / UDP(sport=5, dport=8472, chksum=0) / VXLAN(flags=8, vni=vni)
            arrived = frame(received / Ether(dst=mac, src=MAC, type=0x0800) / Raw(inner))
            assert list(datapath.ingress(arrived).counted) == [counter]
