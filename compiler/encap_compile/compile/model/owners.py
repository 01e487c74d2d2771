"""Which socket a packet is attributed to: the cgroups that it was made in, and what was chosen for it.

The frame's socket says it, where there is one. Others are attributed by what is remembered of their connection: resets,
and what answers for a socket that is gone.
"""

from __future__ import annotations

from ...common.fnv import fnv1a
from .. import ir
from .flows import OWNER, Flow, Key
from .frame import Did, Socket
from .packet import TCP, Owner, Packet
from .run import Run

FIN, SYN, RST, ACK = 1, 2, 4, 16
NO_MARK = 0  # what answers for a socket that is gone does not carry its mark


def find_owner(run: Run, packet: Packet) -> None:
    """Attribute a packet to a socket, and record that where its connection begins or ends."""
    socket, owners = run.frame.socket, run.machine.program.owners
    assert owners is not None
    if socket is None:
        _without_socket(run, packet)
        return
    packet.owner = _said(run, socket, owners)
    run.step(Did.READ, "socket", _text(packet.owner))
    if packet.protocol != TCP or packet.ports_unseen:
        return
    begins = packet.tcp_flags & SYN
    if socket.shared and not any(packet.owner.choice) and not (packet.owner.cgroups and begins):
        _without_socket(run, packet)
        return
    if not any(packet.owner.choice) and not begins and owners.mptcp and _may_choose(packet.owner, run, owners):
        # What an MPTCP listener accepts without MPTCP inherits nothing: the SYN-ACK was remembered.
        known = _recalled(run, packet)
        if known is not None:
            packet.owner.choice = known.choice
    if packet.owner:
        _remember(run, packet, packet.owner)
    elif begins:
        _forget(run, packet)


def _said(run: Run, socket: Socket, owners: ir.Owners) -> Owner:
    """What a socket says: of its cgroups, those that the spec or a row names."""
    keyed = {
        key[0].decode()
        for rows in run.machine.facts.tables.values()
        if rows.exact == ("cgroup",)
        for key in rows.by_key
        if isinstance(key[0], bytes)
    }
    rows_of = [path for path in socket.cgroups if path in keyed] if owners.rows_by_cgroup else []
    levels = {*owners.named_levels, *(map(_level, keyed) if owners.rows_by_cgroup else ())}
    named = {c.path for c in owners.cgroups if c.level in levels} & set(socket.cgroups)
    table, row = socket.choice if socket.choice is not None and owners.rules else ("", "")
    return Owner(
        cgroups=frozenset(named) if owners.levels else frozenset(),
        cgroup=max(rows_of, key=_level, default=None),
        choice=(fnv1a(table), fnv1a(row)) if table else (0, 0),
    )


def _level(path: str) -> int:
    """How many directories below the attached cgroup."""
    return path.count("/") + 1 if path else 0


def _text(owner: Owner) -> str:
    return ", ".join(sorted(owner.cgroups)) or "no cgroup that the spec names"


def _may_choose(owner: Owner, run: Run, owners: ir.Owners) -> bool:
    """Whether rules let such sockets choose."""
    if not owners.rules:
        return False
    paths = {run.machine.constants.cgroups[name] for rule in owners.rules for name in rule.cgroups}
    return not all(rule.cgroups for rule in owners.rules) or bool(paths & owner.cgroups)


def _without_socket(run: Run, packet: Packet) -> None:
    if packet.protocol != TCP or packet.ports_unseen:
        return
    begins = packet.tcp_flags & SYN and not packet.tcp_flags & ACK
    if not begins:  # a SYN-ACK too: no listener of the model's knows it
        known = _recalled(run, packet)
        if known is not None:
            packet.owner = known
    elif packet.owner:
        _remember(run, packet, packet.owner)
    else:
        _forget(run, packet)


# ---- the table of flows ----------------------------------------------------------------------------------------------


def _key(packet: Packet) -> Key:
    source_port, destination_port = packet.source_port.to_bytes(2, "big"), packet.destination_port.to_bytes(2, "big")
    return Key(NO_MARK, packet.source, packet.destination, source_port, destination_port, packet.protocol | OWNER)


def _recalled(run: Run, packet: Packet) -> Owner | None:
    machine = run.machine
    assert machine.flows is not None
    found = machine.flows.find(_key(packet), "", machine.constants.number("SOCKETS_IDLE"), machine.now)
    if found is None:
        return None
    run.step(Did.FOUND, "connection", _text(found.owner))
    return Owner(found.owner.cgroups, found.owner.cgroup, found.owner.choice)


def _remember(run: Run, packet: Packet, owner: Owner) -> None:
    machine = run.machine
    assert machine.flows is not None
    opening = machine.flows.opening
    idle = opening if packet.tcp_flags & SYN else machine.constants.number("SOCKETS_IDLE")
    kept = Owner(owner.cgroups, owner.cgroup, owner.choice)
    machine.flows.learn(run, Flow(_key(packet), 0, None, kept), idle, may_change=True)


def _forget(run: Run, packet: Packet) -> None:
    """A connection begins that is nobody's: an earlier one between the same ends has left something."""
    if _recalled(run, packet) is not None:
        packet.owner = Owner()
        _remember(run, packet, packet.owner)


# ---- segments that fit -----------------------------------------------------------------------------------------------


def fit_plain(run: Run) -> None:
    """What a packet that is not encapsulated says of the segments that its sender takes. The model has no sockets that
    could be asked whether they send encapsulated: nothing is done."""
    return


def fit_segments(run: Run, packet: Packet | None) -> None:
    """The same for one that was decapsulated."""
    return
