"""Addresses that cannot be where they stand: a tunnel endpoint, or the receiver of an inner frame.

Only a value that is used so is checked: a field of type `ip` that no outer header takes may hold anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import compress

from ..diagnostics import Findings
from ..values import MAPPED, ValueProblem, address_text
from .codec import EncodedRows
from .problems import Problems

AddressCheck = Callable[[bytes], "ValueProblem | None"]
_LOOPBACK6 = bytes(15) + b"\1"
_BYTES = frozenset(range(256))
# First bytes with which an address is right, whatever follows: IPv4 but loopback, link-local (169.254.0.0/16) and
# multicast; IPv6 but link-local (fe80::/10) and multicast; MAC addresses that are no group's.
_FINE4 = bytes(_BYTES - {127, 169, *range(224, 240)})
_FINE6 = bytes(_BYTES - {0xFE, 0xFF})
_FINE_MAC = bytes(range(0, 256, 2))


def outer(packed: bytes) -> ValueProblem | None:
    """What is wrong with an outer destination: 4 bytes, or 16 with IPv4 mapped. W427 alone is a warning."""
    four = packed[-4:] if len(packed) == 4 or packed.startswith(MAPPED) else b""
    if four[:1] == b"\x7f" or packed == _LOOPBACK6:
        words = f"{address_text(packed)} is a loopback address: on every machine it is the machine itself"
        return ValueProblem("E418", words, "give a unicast address of the remote tunnel endpoint")
    if 224 <= four[0] < 240 if four else packed[0] == 0xFF:
        help = "give the unicast address of a tunnel endpoint; one packet to many receivers is not in this release"
        words = f"{address_text(packed)} is a multicast address, but a tunnel has one endpoint"
        return ValueProblem("E420", words, help)
    if four[:2] == b"\xa9\xfe" if four else (packed[0] == 0xFE and packed[1] & 0xC0 == 0x80):
        help = "give an address that is routed; this one works only if both tunnel endpoints are on the same link"
        words = f"{address_text(packed)} is a link-local address: on each link it is another machine"
        return ValueProblem("W427", words, help)
    return None


def receiver(packed: bytes) -> ValueProblem | None:
    """What is wrong with the MAC address that a frame is sent to. W426 is a warning."""
    if not any(packed):
        words = "00:00:00:00:00:00 is not the address of a machine: no receiver accepts a frame to it"
        return ValueProblem("E421", words, "give the MAC address of the receiver's device")
    if packed[0] & 1:
        # Linux, for packets whose link-layer destination is not the host's own (pkt_type other than PACKET_HOST):
        # tcp_v4_rcv, tcp_v6_rcv and ip_forward, ip6_forward drop them; UDP sockets take them.
        words = f"{packed.hex(':')} is a group address: Linux drops TCP in such frames, and forwards none"
        return ValueProblem("W426", words, "give the MAC address of the receiver's device, if it has one of its own")
    return None


def validate_outer(
    rows: EncodedRows, field: str, takes: Collection[str], findings: Findings, warn: bool = True
) -> None:
    """E418, E420 and W427 in the field that is the outer destination in the encapsulations `takes`."""
    column = rows.typed.fields.get(field, ())
    if column and isinstance(column[0], bytes) and _worth_a_look(column):  # type: ignore[arg-type]
        _validate(rows, field, column, outer, takes, findings, warn)  # type: ignore[arg-type]


def validate_receiver(rows: EncodedRows, field: str, takes: Collection[str], findings: Findings) -> None:
    """E421 and W426 in the field that is an inner frame's destination in the encapsulations `takes`."""
    column: Sequence[bytes] = rows.typed.fields.get(field, ())  # type: ignore[assignment]
    if bytes(6) in column or b"".join(column)[::6].translate(None, _FINE_MAC):
        _validate(rows, field, column, receiver, takes, findings, True)


def _worth_a_look(column: Sequence[bytes]) -> bool:
    """Whether some address could be wrong; few passes over all bytes, as 100 000 rows of good ones are usual."""
    together = b"".join(column)
    if len(column[0]) == 4:
        return bool(together[::4].translate(None, _FINE4))
    first, mapped = together[::16], together[12::16]
    return bool(mapped.translate(None, _FINE4) or first.translate(None, _FINE6)) or _LOOPBACK6 in column


def _validate(
    rows: EncodedRows,
    field: str,
    column: Sequence[bytes],
    validate: AddressCheck,
    takes: Collection[str],
    findings: Findings,
    warn: bool,
) -> None:
    sheet = rows.typed.sheet
    at = sheet.columns.index(field)
    bad = {packed: problem for packed in set(column) if (problem := validate(packed)) is not None}
    problems = Problems(findings, sheet.place)
    warned: dict[str, list[int]] = {}
    for i in compress(range(rows.count), map(bad.__contains__, column)):
        if not sheet.cells[at][i] or (rows.encapsulations[i] and rows.encapsulations[i] not in takes):
            continue  # left out, or used for something else in this row
        problem = bad[column[i]]
        if problem.code[0] == "E":
            problems.add(problem, i, at)
        elif warn:
            warned.setdefault(problem.code, []).append(i)
    problems.finish()
    for found in warned.values():
        problem, more = bad[column[found[0]]], len(found) - 1
        also = f" (and {more} more {'row' if more == 1 else 'rows'} like it)" if more else ""
        findings.warning(problem.code, problem.message + also, sheet.place(found[0], at), problem.help)
