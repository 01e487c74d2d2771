"""The MTU of the path to a tunnel endpoint, learned from ICMP errors about our outer packets: RFC 1191, RFC 8201."""

from __future__ import annotations

from typing import NamedTuple

from .aside import carries_own_stack
from .checksum import is_right
from .facts import any_address
from .frame import Did
from .packet import ETHER, ICMP, ICMPV6, UDP, Packet
from .run import Run

EXPIRES = 600_000_000_000  # ns: RFC 1191, section 6.3
LEAST = {"ipv4": 552, "ipv6": 1280}  # net.ipv4.route.min_pmtu; RFC 8201, section 4
PLATEAUS = (8166, 4352, 2002, 1492, 1006)  # RFC 1191, section 7
LONGEST_ERROR = 1536  # bytes
UNSAID = 0x10000  # a packet longer than its length field can say


class PathMtu(NamedTuple):
    mtu: int
    expires: int


class _Error(NamedTuple):
    """An ICMP error as it says, and what it quotes."""

    packet: Packet
    mtu: int
    quoted: int  # bytes
    covered: bytes  # by its checksum


def path_mtu(run: Run, endpoint: bytes) -> int:
    """What fits on the path to a tunnel endpoint."""
    if run.machine.program.egress.paths is None:
        return run.mtu
    known = run.machine.path_mtus.get(any_address(endpoint))
    return min(run.mtu, known.mtu) if known and known.expires > run.machine.now else run.mtu


def learn(run: Run) -> None:
    """From an ICMP error about a packet of ours, if that can be true."""
    paths = run.machine.program.egress.paths
    assert paths is not None
    error = _ipv4(run) if run.family == "ipv4" else _ipv6(run) if run.family == "ipv6" else None
    if error is None or not carries_own_stack(run, error.packet, paths.own):
        return
    if paths.ports and error.packet.protocol == UDP:
        first, last = paths.ports
        if not first <= error.packet.source_port <= last:
            return
    machine, endpoint = run.machine, error.packet.destination
    known = machine.path_mtus.get(endpoint)
    least = LEAST[error.packet.family]
    lower = not known or known.expires <= machine.now or error.mtu <= known.mtu
    fits = least <= error.mtu < error.quoted
    if fits and lower and is_right(error.covered):
        machine.path_mtus[endpoint] = PathMtu(error.mtu, machine.now + EXPIRES)
        run.step(Did.KEPT, "path MTU", f"{error.mtu} bytes")
        run.count("ingress_path_learned")
    else:
        run.count("ingress_path_ignored")


def _ipv4(run: Run) -> _Error | None:
    data = bytes(run.data)
    head = data[ETHER : ETHER + 20]
    if len(head) < 20 or head[9] != ICMP or int.from_bytes(head[6:8], "big") & 0x3FFF:
        return None
    at = ETHER + (head[0] & 15) * 4
    icmp, quote = data[at : at + 8], data[at + 8 : at + 36]
    if icmp[:2] != b"\3\4" or len(quote) < 28 or quote[0] != 0x45 or int.from_bytes(quote[6:8], "big") & 0x1FFF:
        return None
    if quote[12:16] != head[16:20]:
        return None
    quoted = int.from_bytes(quote[2:4], "big") or UNSAID
    mtu = int.from_bytes(icmp[6:8], "big") or next((p for p in PLATEAUS if p < quoted), 0)
    packet = _packet("ipv4", quote[12:16], quote[16:20], quote[9], quote[20:24])
    covered = _covered(data, at, int.from_bytes(head[2:4], "big") + ETHER - at)
    return _Error(packet, max(mtu, LEAST["ipv4"]), quoted, covered)


def _ipv6(run: Run) -> _Error | None:
    data = bytes(run.data)
    head = data[ETHER : ETHER + 40]
    if len(head) < 40 or head[6] != ICMPV6:
        return None
    at = ETHER + 40
    icmp, quote = data[at : at + 8], data[at + 8 : at + 56]
    if icmp[:1] != b"\2" or len(quote) < 48 or quote[0] >> 4 != 6 or quote[8:24] != head[24:40]:
        return None
    said = int.from_bytes(quote[4:6], "big")
    packet = _packet("ipv6", quote[8:24], quote[24:40], quote[6], quote[40:44])
    covered = _covered(data, at, int.from_bytes(head[4:6], "big"))
    pseudo = head[8:40] + head[4:6] + bytes((0, ICMPV6)) if covered else b""
    return _Error(packet, int.from_bytes(icmp[4:8], "big"), said + 40 if said else UNSAID, pseudo + covered)


def _packet(family: str, source: bytes, destination: bytes, protocol: int, ports: bytes) -> Packet:
    found = Packet(family, any_address(source), any_address(destination), 0, 0, 0, 0, 0, protocol=protocol)
    found.source_port, found.destination_port = int.from_bytes(ports[:2], "big"), int.from_bytes(ports[2:], "big")
    return found


def _covered(data: bytes, at: int, length: int) -> bytes:
    """The whole ICMP error, or nothing if it is not all there."""
    found = data[at : at + length] if 0 < length <= LONGEST_ERROR else b""
    return found + bytes(length & 1) if len(found) == length else b""
