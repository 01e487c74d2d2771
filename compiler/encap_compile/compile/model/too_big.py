"""A packet that does not fit is answered: RFC 1191 and RFC 8201, with the limits of RFC 1812 and RFC 4443."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from .frame import Did, Verdict
from .packet import ETHER, ICMP, ICMPV6, TCP, TRANSPORT_MOST, UDP, UNSEEN, Packet
from .run import Run

ICMP_HEADER = 8
QUOTED = {"ipv4": 576 - 28, "ipv6": 1280 - 48}  # bytes: RFC 1812, section 4.3.2.3; RFC 4443, section 3.2
ERRORS = (3, 4, 5, 11, 12)  # ICMP types: RFC 1122, section 3.2.2
LEAST_IPV6 = 1280  # RFC 8200, section 5
CHECKSUMS = {TCP: 16, UDP: 6}  # where a transport header has its own
MOST_HEADERS = 508  # bytes before the transport header of a quote whose checksum is settled
INTERVAL, BURST = 10_000_000, 1_000_000_000  # ns: 100 answers a second for each sender


def answer(run: Run, packet: Packet, mtu: int) -> Verdict:
    """Turn the packet, which is counted already, into the answer, or drop it."""
    unanswerable = _unanswerable(run, packet, mtu)
    if unanswerable:
        run.step(Did.CHECKED, "answer", unanswerable)
        return Verdict.DROP
    if not _within_limit(run, packet):
        run.count("egress_answers_limited")
        return Verdict.DROP
    quote = bytearray(run.data[ETHER : ETHER + QUOTED[packet.family]])
    _settle(quote, packet)
    source, destination = packet.destination, packet.source
    if packet.family == "ipv4":
        error = _with_checksum(bytes((3, 4, 0, 0)) + mtu.to_bytes(4, "big") + quote, b"")
        head = bytes((0x45, 0xC0)) + (20 + len(error)).to_bytes(2, "big") + bytes(4) + bytes((64, ICMP, 0, 0))
        head += source[-4:] + destination[-4:]
        made = head[:10] + _sum(head).to_bytes(2, "big") + head[12:] + error
    else:
        pseudo = source + destination + (ICMP_HEADER + len(quote)).to_bytes(4, "big") + ICMPV6.to_bytes(4, "big")
        error = _with_checksum(bytes((2, 0, 0, 0)) + mtu.to_bytes(4, "big") + quote, pseudo)
        head = bytes.fromhex("6c000000") + len(error).to_bytes(2, "big") + bytes((ICMPV6, 64))
        made = head + source + destination + error
    ethernet = run.data[:ETHER]
    run.data = bytearray(ethernet[6:12] + ethernet[:6] + ethernet[12:] + made)
    host = run.machine.facts.host
    run.mark = int(host["redirect_mark"]) if run.on_route_device else 0  # by which it passes the device's guard
    if run.frame.gso_size:  # bpf_skb_change_tail makes one packet of it (skb_gso_reset)
        run.frame = replace(run.frame, gso_size=0, gso_segs=0)
    run.step(Did.SENT, "icmp", f"to the sender: {mtu} bytes fit")
    run.count("egress_answered")
    return Verdict.REDIRECT


def _unanswerable(run: Run, packet: Packet, mtu: int) -> str:
    """Why no answer may be sent; empty: it may."""
    if run.data[0] & 1 or not _one_host(packet.destination, packet.family):
        return "it goes to more than one host"
    if not _one_host(packet.source, packet.family):
        return "its source is no host's address"
    if packet.family == "ipv4" and not run.data[ETHER + 6] & 0x40:
        return "it may be fragmented (no DF)"
    if packet.family == "ipv6" and mtu < LEAST_IPV6:
        return f"no IPv6 host sends packets below {LEAST_IPV6} bytes (RFC 8201)"
    if packet.length < QUOTED[packet.family]:
        return "it is shorter than a quote"
    if not packet.transport or packet.protocol == UNSEEN:
        return "it does not show whether it is an ICMP error"
    if packet.protocol in (ICMP, ICMPV6):
        type_ = run.data[packet.transport : packet.transport + 1]
        if not type_ or (type_[0] in ERRORS if packet.protocol == ICMP else type_[0] < 128):
            return "it is an ICMP error"
    return ""


def _one_host(address: bytes, family: str) -> bool:
    if family == "ipv4":
        ipv4 = IPv4Address(address[-4:])
        return 0 < ipv4.packed[0] < 224 and not ipv4.is_loopback
    ipv6 = IPv6Address(address)
    return not (ipv6.is_multicast or ipv6.is_unspecified or ipv6.is_loopback)


def _within_limit(run: Run, packet: Packet) -> bool:
    machine = run.machine
    key = (packet.source, run.mark)
    following = max(machine.answered.get(key, 0), machine.now)
    if following > machine.now + BURST:
        return False
    machine.answered[key] = following + INTERVAL
    return True


def _settle(quote: bytearray, packet: Packet) -> None:
    """Give the quoted transport checksum the value that the kernel would write itself, if it were still to be written
    over what is quoted (CHECKSUM_PARTIAL): the one that is its own complement, with all the rest."""
    headers = (packet.transport & TRANSPORT_MOST) - ETHER
    where = headers + CHECKSUMS.get(packet.protocol, len(quote))
    field = slice(where, where + 2)
    if headers > MOST_HEADERS or where + 2 > len(quote) or not any(quote[field]):
        return
    quote[field] = bytes(2)
    rest = ~_sum(bytes(quote[headers:])) & 0xFFFF
    # ~(rest + x) = x, modulo 65535, where one half is 32768
    found = -rest * 32768 % 65535
    quote[field] = (found or 65535).to_bytes(2, "big")


def _with_checksum(error: bytes, pseudo: bytes) -> bytes:
    return error[:2] + _sum(pseudo + error).to_bytes(2, "big") + error[4:]


def _sum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of data of an even length."""
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
