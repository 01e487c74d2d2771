"""Attribute a packet to a socket: the cgroups that the socket was created in, and the choice made for it.

A frame with a socket reports both. Frames without one are attributed by the record of their connection: resets, and
what the kernel answers for a closed socket.
"""

from __future__ import annotations

from ...common.fnv import fnv1a
from .. import ir
from .flows import OF_SOCKET, Flow, Key
from .frame import Did, Socket
from .packet import TCP, Packet, SocketRecord
from .run import Run

FIN, SYN, RST, ACK = 1, 2, 4, 16
NO_MARK = 0  # the kernel's answers for a closed socket do not carry its mark


def attribute_packet(run: Run, packet: Packet) -> None:
    """Attribute the packet to a socket. Record that at the start and the end of a connection."""
    socket, attribution = run.frame.socket, run.machine.program.attribution
    assert attribution is not None
    if socket is None:
        _without_socket(run, packet)
        return
    packet.socket = reported(run, socket, attribution)
    run.step(Did.READ, "socket", _text(packet.socket))
    if packet.protocol != TCP or packet.ports_unseen:
        return
    begins = packet.tcp_flags & SYN
    if socket.shared and not any(packet.socket.choice) and not (packet.socket.cgroups and begins):
        _without_socket(run, packet)
        return
    if (
        not any(packet.socket.choice)
        and not begins
        and attribution.mptcp
        and _may_choose(packet.socket, run, attribution)
    ):
        # A socket that an MPTCP listener accepts without MPTCP inherits nothing: the SYN-ACK was recorded.
        known = _recorded(run, packet)
        if known is not None:
            packet.socket.choice = known.choice
    if packet.socket:
        _record(run, packet, packet.socket)
    elif begins:
        _forget(run, packet)


def reported(run: Run, socket: Socket, attribution: ir.Attribution) -> SocketRecord:
    """What a socket reports; of its cgroups, those that the spec or a row names."""
    keyed = {
        path.decode()
        for rows in run.machine.facts.tables.values()
        if "cgroup" in rows.exact
        for path in (key[rows.exact.index("cgroup")] for key in rows.by_key)
        if isinstance(path, bytes)
    }
    rows_of = [path for path in socket.cgroups if path in keyed] if attribution.rows_by_cgroup else []
    levels = {*attribution.named_levels, *(map(_level, keyed) if attribution.rows_by_cgroup else ())}
    named = {c.path for c in attribution.cgroups if c.level in levels} & set(socket.cgroups)
    table, row = socket.choice if socket.choice is not None and attribution.rules else ("", "")
    return SocketRecord(
        cgroups=frozenset(named) if attribution.levels else frozenset(),
        cgroup=max(rows_of, key=_level, default=None),
        choice=(fnv1a(table), fnv1a(row)) if table else (0, 0),
    )


def _level(path: str) -> int:
    """How many directories below the attached cgroup."""
    return path.count("/") + 1 if path else 0


def _text(record: SocketRecord) -> str:
    return ", ".join(sorted(record.cgroups)) or "no cgroup that the spec names"


def _may_choose(record: SocketRecord, run: Run, attribution: ir.Attribution) -> bool:
    """Whether the rules let this socket choose."""
    if not attribution.rules:
        return False
    paths = {run.machine.constants.cgroups[name] for rule in attribution.rules for name in rule.cgroups}
    return not all(rule.cgroups for rule in attribution.rules) or bool(paths & record.cgroups)


def _without_socket(run: Run, packet: Packet) -> None:
    if packet.protocol != TCP or packet.ports_unseen:
        return
    begins = packet.tcp_flags & SYN and not packet.tcp_flags & ACK
    if not begins:  # a SYN-ACK too: the model has no listeners
        known = _recorded(run, packet)
        if known is not None:
            packet.socket = known
    elif packet.socket:
        _record(run, packet, packet.socket)
    else:
        _forget(run, packet)


# ---- the table of flows ----------------------------------------------------------------------------------------------


def _key(packet: Packet) -> Key:
    source_port, destination_port = packet.source_port.to_bytes(2, "big"), packet.destination_port.to_bytes(2, "big")
    return Key(NO_MARK, packet.source, packet.destination, source_port, destination_port, packet.protocol | OF_SOCKET)


def _recorded(run: Run, packet: Packet) -> SocketRecord | None:
    machine = run.machine
    assert machine.flows is not None
    found = machine.flows.find(_key(packet), "", machine.constants.number("SOCKETS_IDLE"), machine.now)
    if found is None:
        return None
    run.step(Did.FOUND, "connection", _text(found.socket))
    return SocketRecord(found.socket.cgroups, found.socket.cgroup, found.socket.choice)


def _record(run: Run, packet: Packet, record: SocketRecord) -> None:
    machine = run.machine
    assert machine.flows is not None
    opening = machine.flows.opening
    idle = opening if packet.tcp_flags & SYN else machine.constants.number("SOCKETS_IDLE")
    kept = SocketRecord(record.cgroups, record.cgroup, record.choice)
    machine.flows.learn(run, Flow(_key(packet), 0, None, kept), idle, may_change=True)


def _forget(run: Run, packet: Packet) -> None:
    """Clear the record of an earlier connection of the same addresses and ports: no rule names this one's socket."""
    if _recorded(run, packet) is not None:
        packet.socket = SocketRecord()
        _record(run, packet, packet.socket)


# ---- segments that fit -----------------------------------------------------------------------------------------------


def fit_plain(run: Run) -> None:
    """What a packet that is not encapsulated says of the segments that its sender takes. The model has no sockets that
    could be asked whether they send encapsulated: nothing is done."""
    return


def fit_segments(run: Run, packet: Packet | None) -> None:
    """The same for one that was decapsulated."""
    return
