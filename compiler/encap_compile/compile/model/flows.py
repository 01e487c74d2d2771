"""The flow table: headers that arrived, for packets that answer or go on, and which socket a connection belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from .entropy import hash_add, native, words_of
from .facts import Value, any_address
from .frame import Did
from .packet import HEADER, ICMP, ICMPV6, SCTP, TCP, TRANSPORT_MOST, UDP, Packet, SocketRecord
from .run import Run

FRAGMENT = 0x100  # in `protocol`: the ports are a fragment's identification
OF_SOCKET = 0x200  # the entry is the record of a connection's socket, not of headers that came in
FRAGMENT_IDLE = 60_000_000_000  # ns
ECHO = {ICMP: (0, 8), ICMPV6: (128, 129)}
ERRORS = {ICMP: (3, 11, 12), ICMPV6: tuple(range(1, 128))}  # which quote the packet they are about


class Key(NamedTuple):
    """As the packets of one direction show it. Ports are two bytes each, as in the packet."""

    mark: int
    source: bytes
    destination: bytes
    source_port: bytes
    destination_port: bytes
    protocol: int

    def turned(self) -> Key:
        return Key(self.mark, self.destination, self.source, self.destination_port, self.source_port, self.protocol)

    def hash(self, seed: int) -> int:
        for word in (
            self.mark,
            *words_of(self.source),
            *words_of(self.destination),
            native(self.source_port + self.destination_port),
            self.protocol,
        ):
            seed = hash_add(seed, word)
        return seed


class Learned(NamedTuple):
    """What came in: by which rule, in which stack (their constants), and what is kept of the headers."""

    rule: str
    stack: str
    values: Mapping[str, Value]


@dataclass
class Flow:
    key: Key
    expires: int
    learned: Learned | None
    socket: SocketRecord


def _port(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _fragment(key: Key, packet: Packet) -> Key:
    """The key of a fragment that shows no ports: its identification stands in for them."""
    number = native(packet.fragment_id)
    low, high = (native_bytes(part) for part in (number & 0xFFFF, number >> 16))
    return key._replace(source_port=low, destination_port=high, protocol=FRAGMENT)


def native_bytes(number: int) -> bytes:
    raw = number.to_bytes(2, "big")
    return raw if native(b"\0\1") == 1 else raw[::-1]


def find_key(run: Run, packet: Packet, quoted: bool) -> Key | None:
    """To which flow a packet belongs. An ICMP error belongs to that which it quotes, if `quoted` asks for it."""
    key = Key(
        run.mark,
        packet.source,
        packet.destination,
        _port(packet.source_port),
        _port(packet.destination_port),
        packet.protocol,
    )
    if packet.ports_unseen or not packet.transport:
        return _fragment(key, packet) if packet.fragment else None
    if packet.protocol not in ECHO:
        return key
    at = packet.transport & TRANSPORT_MOST
    icmp = run.data[at : at + 8]
    if len(icmp) < 8:
        return None
    if icmp[0] in ECHO[packet.protocol]:
        return key._replace(source_port=bytes(icmp[4:6]), destination_port=bytes(icmp[4:6]))
    if quoted and icmp[0] in ERRORS[packet.protocol]:
        return _quoted(run, key, at + 8, "ipv4" if packet.protocol == ICMP else "ipv6")
    return None


def _quoted(run: Run, key: Key, at: int, family: str) -> Key | None:
    """The flow of the packet that an ICMP error quotes, as its answers would show it."""
    head = run.data[at : at + HEADER[family]]
    if len(head) < HEADER[family]:
        return None
    if family == "ipv4":
        if int.from_bytes(head[6:8], "big") & 0x1FFF:
            return None
        source, destination, protocol = any_address(bytes(head[16:20])), any_address(bytes(head[12:16])), head[9]
        at += (head[0] & 15) * 4
    else:
        source, destination, protocol = bytes(head[24:40]), bytes(head[8:24]), head[6]
        at += 40
    key = key._replace(source=source, destination=destination, protocol=protocol)
    if protocol in (TCP, UDP, SCTP):
        ports = bytes(run.data[at : at + 4])
        return key._replace(source_port=ports[2:4], destination_port=ports[:2]) if len(ports) == 4 else None
    if protocol in ECHO:
        icmp = bytes(run.data[at : at + 8])
        if len(icmp) < 8 or icmp[0] not in ECHO[protocol]:
            return None
        return key._replace(source_port=icmp[4:6], destination_port=icmp[4:6])
    return key


class FlowTable:
    """Buckets of flows. A full one gives up the flow that would become idle first."""

    def __init__(self, buckets: int, ways: int, seed: int, attribution: bool, opening: int) -> None:
        """`attribution`: entries record the sockets of connections. A half-open one is idle after `opening`."""
        self.buckets, self.ways, self.seed, self.attribution, self.opening = buckets, ways, seed, attribution, opening
        self.flows: dict[int, list[Flow]] = {}

    def _bucket(self, key: Key) -> list[Flow]:
        return self.flows.setdefault(key.hash(self.seed) * self.buckets >> 32, [])

    def find(self, key: Key, rule: str, idle: int, now: int) -> Flow | None:
        """The flow, if `rule` has learned it (or without a rule, if it says whose it is) and it is not idle."""
        flow = next((f for f in self._bucket(key) if f.key == key), None)
        if flow is None or flow.expires <= now or (flow.learned.rule if flow.learned else "") != rule:
            return None
        if rule or not self.attribution or flow.expires - now > self.opening:
            flow.expires = now + idle
        return flow

    def has(self, key: Key, rule: str, now: int) -> bool:
        """Whether the rule has learned the flow, which is not idle."""
        flow = next((f for f in self._bucket(key) if f.key == key), None)
        return flow is not None and flow.expires > now and flow.learned is not None and flow.learned.rule == rule

    def learn(self, run: Run, flow: Flow, idle: int, may_change: bool) -> bool:
        """Remember a flow. False: it is known with other headers, and may not be changed."""
        now, bucket = run.machine.now, self._bucket(flow.key)
        known = next((f for f in bucket if f.key == flow.key), None)
        old = known
        if known is None and len(bucket) >= self.ways:
            old = min(bucket, key=lambda f: f.expires)
        was_idle = old is None or old.expires <= now
        same = old is not None and old.learned == flow.learned and old.socket == flow.socket
        if known is not None and not was_idle and not same and not may_change:
            return False
        if old is None:
            bucket.append(flow)
        else:
            bucket[next(i for i, f in enumerate(bucket) if f is old)] = flow
        flow.expires = now + idle
        run.step(Did.KEPT, "flow", str(flow.learned.stack if flow.learned else flow.socket))
        if was_idle:
            run.count("flows_learned")
        elif known is None:
            run.count("flows_evicted")
        elif not same:
            run.count("flows_changed")
        return True


def find_learned(run: Run, packet: Packet, rule: str) -> Learned | None:
    """What `rule` has learned for the flow of a packet that leaves."""
    machine = run.machine
    key = find_key(run, packet, quoted=True)
    if key is None or machine.flows is None:
        return None
    idle = machine.constants.number(f"IDLE_{rule}") if packet.transport else FRAGMENT_IDLE
    found = machine.flows.find(key, rule, idle, machine.now)
    if found is None or found.learned is None:
        return None
    if packet.fragment and packet.transport:  # those that follow show no ports, but this
        flow = Flow(_fragment(key, packet), 0, found.learned, found.socket)
        machine.flows.learn(run, flow, FRAGMENT_IDLE, may_change=True)
    return found.learned


def was_learned(run: Run, packet: Packet, rule: str) -> bool:
    """Whether `rule` has learned the flow of a packet. What ICMP quotes is not looked at, and no entry lives longer."""
    machine = run.machine
    if machine.flows is None or packet.ports_unseen:
        return False
    ports = _port(packet.source_port), _port(packet.destination_port)
    key = Key(run.mark, packet.source, packet.destination, *ports, packet.protocol)
    return machine.flows.has(key, rule, machine.now)
