"""A document, and what the compiler made of it: the model executes that. A packet is given to both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

from encap_compile.common.diagnostics import Findings
from encap_compile.compile.headers.encode import encode
from encap_compile.compile.model import Frame, Machine, Outcome, Socket
from encap_compile.compile.packet_tests.invented import machine_facts
from encap_compile.compile.pipeline import check_spec
from tests.model.inner import Inner
from tests.property.test_every_spec_loads import text_of

from .aim import Aim
from .egress import Decision, Document, Egress, Packet, given, outer_version
from .ingress import Ingress, on_a_machine

TYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
ETHER = b"\2\0\0\0\0\2\2\0\0\0\0\1"
TOO_MANY = (60,) * 7  # destination options: more than the program follows
PROTOCOLS = (6, 17, 132, 1, 58, 47, 99)  # that a packet may hide


class Pair:
    def __init__(self, document: Document, path: Path) -> None:
        """Raises DiagnosedError for a document that is refused."""
        path.write_text(text_of(on_a_machine(document)))
        spec, described, _, _ = check_spec(str(path))
        self.document, self.oracle = document, Egress(document)
        self.program, self.facts = described.program, machine_facts(spec, described, Findings())

    def differences(self, seed: str, sequences: int) -> Iterator[str]:
        random = Random(seed)
        aim = Aim(random, self.document)
        for _ in range(sequences):
            packet = aim.draw()
            machine = Machine(self.program, self.facts)
            kind = random.random()
            if kind < 0.75:
                yield from self.whole(machine, packet)
            elif kind < 0.85:
                yield from self.later(machine, packet)
            elif kind < 0.95:
                yield from self.fragments(random, machine, packet)
            elif packet.source.version == 6:
                yield from self.unreadable(machine, packet)

    def arrivals(self, seed: str, packets: int) -> Iterator[str]:
        """The same of what arrives in an encapsulation."""
        random = Random(seed)
        aim = Aim(random, self.document, "ingress")
        ingress = Ingress(self.document)
        for _ in range(packets if ingress.names else 0):
            inner = replace(aim.draw(), cgroup=None, choice=None)
            arriving = ingress.draw(random)
            if arriving is None:
                continue
            data = bytes(frame(inner).data[len(ETHER) + 2 :])
            try:
                outer = encode(arriving.given, data)
            except ValueError:
                continue  # a field that the document leaves to others
            sent = Frame(ETHER + TYPES[arriving.version] + outer, inner.mark)
            found = Machine(self.program, self.facts).ingress(sent)
            expected = ingress.decide(arriving, inner)
            if expected.rule:
                right = found.verdict == "pass" and found.rule == expected.rule and found.mark == expected.mark
                right = right and found.data[len(ETHER) + 2 :] == data
            else:
                kept = found.data == sent.data
                right = found.verdict == ingress.refuse or (not expected.known and found.verdict == "pass")
                right = right and kept
            if not right:
                steps = "\n  ".join(map(str, found.steps))
                done = f"{found.verdict} by {found.rule}, and the document says {expected}"
                yield f"{arriving} {inner}:\n  {done}\n  {steps}"

    # ---- packets, and their fragments

    def whole(self, machine: Machine, packet: Packet) -> Iterator[str]:
        found = machine.egress(frame(packet))
        yield from self.compared(packet, found, [self.oracle.decide(packet)])

    def fragments(self, random: Random, machine: Machine, packet: Packet) -> Iterator[str]:
        """The first one shows all, and those that follow get its decision. Of IPv6, whatever protocol they name
        (RFC 8200, section 4.5). Neighbour discovery is never fragmented (RFC 6980)."""
        packet = replace(packet, hop_limit=min(packet.hop_limit, 64))
        named = random.choice((packet.protocol, *PROTOCOLS)) if packet.source.version == 6 else packet.protocol
        for offset, shown in (0, packet), (185, replace(packet, protocol=named)):
            found = machine.egress(frame(shown, offset=offset, fragment=True))
            yield from self.compared(packet, found, [self.oracle.decide(packet)], f"fragment at {offset} of ")

    def later(self, machine: Machine, packet: Packet) -> Iterator[str]:
        """A later fragment whose first one was not seen."""
        found = machine.egress(frame(packet, offset=185, fragment=True))
        shown = packet.source.version == 4
        protocols = [packet.protocol] if shown else [*PROTOCOLS, packet.protocol]
        yield from self.hidden(packet, found, protocols, "later fragment alone of ")

    def unreadable(self, machine: Machine, packet: Packet) -> Iterator[str]:
        """A chain of extension headers that is too long."""
        found = machine.egress(frame(packet, extensions=TOO_MANY))
        yield from self.hidden(packet, found, [*PROTOCOLS, packet.protocol], "behind many headers ")

    def hidden(self, packet: Packet, found: Outcome, protocols: list[int], what: str) -> Iterator[str]:
        """It is done with what is done with one of the packets that it may be. It never passes if one of them does not
        pass. It may be dropped if rules ask for what it hides."""
        expected = self.oracle.may(packet, protocols)
        done = kind(found)
        if done == "pass" and any(d.what != "pass" for d in expected):
            yield f"{what}{packet}: passes, and may be one of {', '.join(map(str, expected))}"
        elif done == "drop" and self.oracle.asks_what_is_hidden():
            return
        else:
            yield from self.compared(packet, found, expected, what)

    # ---- what is done

    def compared(self, packet: Packet, found: Outcome, expected: list[Decision], what: str = "") -> Iterator[str]:
        if not any(self.agrees(found, one) for one in expected):
            sent = f" {found.sent.stack.name} {dict(found.sent.values)}" if found.sent else ""
            steps = "\n  ".join(map(str, found.steps))
            asked = " or ".join(map(str, expected))
            yield f"{what}{packet}:\n  {kind(found)} by {found.rule}{sent}, and the document says {asked}\n  {steps}"

    def agrees(self, found: Outcome, expected: Decision) -> bool:
        if kind(found) != expected.what:
            return False
        if expected.rule and found.rule != expected.rule and (expected.what != "pass" or found.rule):
            return False  # what no rule can take passes before the rules
        if found.sent is None:
            return True
        headers = self.document["encapsulations"][expected.encapsulation]
        shown = list(found.sent.values.values())
        route = "redirect" if self.oracle.route else "pass"
        return (
            found.verdict == route
            and found.sent.stack.encapsulation == expected.encapsulation
            and found.sent.outer[0] >> 4 == outer_version(headers, expected.row)
            and all(same(sent(shown[place], name), value) for place, name, value in given(headers, expected.row))
        )


def kind(found: Outcome) -> str:
    return "encapsulate" if found.sent else str(found.verdict)


def sent(fields: Mapping[str, object], name: str) -> object:
    """`ttl` of the header `ip` is the hop limit of IPv6."""
    return fields.get("hop_limit" if name == "ttl" and "ttl" not in fields else name)


def same(sent: object, value: int | bytes) -> bool:
    """A MAC address may be a number."""
    return sent == value or (isinstance(value, bytes) and sent == int.from_bytes(value, "big"))


def frame(packet: Packet, offset: int = 0, fragment: bool = False, extensions: tuple[int, ...] = ()) -> Frame:
    version = packet.source.version
    inner = Inner(
        f"ipv{version}",
        packet.source.packed,
        packet.destination.packed,
        packet.protocol,
        packet.source_port,
        packet.destination_port,
        tos=packet.dscp << 2,
        ttl=packet.hop_limit,
        payload=b"payload.",
        identification=b"\0\7\0\7" if fragment else b"",
        offset=offset,
        more=fragment,
        extensions=extensions,
        icmp=bytes([packet.icmp_type, 0, 0, 0]) + bytes(20),
    )
    return Frame(ETHER + TYPES[version] + inner.bytes(), packet.mark, socket=socket(packet))


def socket(packet: Packet) -> Socket | None:
    if packet.cgroup is None:
        return None
    parts = packet.cgroup.split("/")
    above = tuple("/".join(parts[: n + 1]) for n in range(len(parts)))
    return Socket(cgroups=above, choice=packet.choice)
