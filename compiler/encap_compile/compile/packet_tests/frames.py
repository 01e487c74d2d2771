"""A test's packet as a frame on the attached device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...common.diagnostics import Findings
from ...common.suggest import did_you_mean
from ...common.values import ValueProblem, dscp, integer, parse, protocol
from .. import ir
from ..description import Described
from ..headers.catalogue import IP_FIELDS, headers
from ..headers.encode import FieldValue, encode
from ..headers.model import FromSpec, NextProtocol, Receive
from ..identifiers import c_name
from ..model import Connecting, Facts, Frame, Socket
from ..spec import Spec
from ..spec_tests import TestPacket, Word
from . import variable_part
from .build import TCP, WITH_PORTS, Inner, packet, shortest
from .sent import field_type

ETHER = {4: b"\x08\x00", 16: b"\x86\xdd"}
MACS = bytes.fromhex("020000000077020000000001")
PLAIN = ("source_port", "destination_port", "ecn", "ttl", "df", "length")  # words that are numbers and nothing else
ADDRESSES = ("ipv4", "ipv6", "mac")
DISCARD = 9  # RFC 863: the destination port, where none is said
FLOW = 0x12345678  # the hash of the flow in the peer's headers


class Frames:
    """Builds frames; what is wrong with a test's words goes to `findings` (T131, E4)."""

    def __init__(self, spec: Spec, lowered: Described, facts: Facts, findings: Findings) -> None:
        self.spec, self.program, self.facts, self.findings = spec, lowered.program, facts, findings

    def frame(self, packet_: TestPacket) -> Frame | None:
        """None after an error."""
        before = len(self.findings.errors)
        inner = self._inner(packet_)
        if inner is None:
            return None
        mark = self._word(packet_, "mark", lambda v: integer(v, 0, 0xFFFFFFFF, "mark"), 0)
        socket = self._socket(packet_)
        try:
            data = packet(inner)
        except ValueError as error:
            help = f"leave `length` out, or ask for {shortest(inner)} or more"
            self.findings.error("T131", str(error), packet_.words["length"].place, help)
            return None
        if packet_.encapsulation is not None:
            data = self._encapsulated(packet_, packet_.encapsulation, data)
        elif packet_.received:
            help = "say in which: `encapsulation: NAME`"
            self.findings.error("T131", "it comes in without headers", _first(packet_.received).place, help)
        if len(self.findings.errors) > before or not data:
            return None
        kind = 4 if data[0] >> 4 == 4 else 16
        return Frame(MACS + ETHER[kind] + data, mark=mark, socket=socket)

    def connecting(self, socket: TestPacket) -> Connecting | None:
        """A socket that connects; None after an error."""
        before = len(self.findings.errors)
        destination = self._address(socket, "destination")
        number = self._word(socket, "protocol", protocol, TCP)
        port = socket.words.get("destination_port")
        mark = self._word(socket, "mark", lambda v: integer(v, 0, 0xFFFFFFFF, "mark"), 0)
        cgroups = self._cgroups(socket.words.get("cgroup"))
        if self.program.attribution is None or not self.program.attribution.connects:
            help = "write `connect:`, or test packets that leave"
            self.findings.error("T131", "this spec has no connect rules", socket.place, help)
        if len(self.findings.errors) > before:
            return None
        return Connecting(destination, number, int(port.value) if port else DISCARD, mark, cgroups)

    def _word(self, packet_: TestPacket, key: str, parser: Callable[[int | str], Any], otherwise: Any) -> Any:
        word = packet_.words.get(key)
        if word is None:
            return otherwise
        try:
            return parser(word.value)
        except ValueProblem as problem:
            self.findings.error(problem.code, problem.message, word.place, problem.help)
            return otherwise

    def _address(self, packet_: TestPacket, key: str) -> bytes:
        found: bytes = self._word(packet_, key, lambda v: parse("ip", v), b"")
        mapped = found.startswith(bytes(10) + b"\xff\xff")
        return found[12:] if mapped else found

    def _inner(self, packet_: TestPacket) -> Inner | None:
        source, destination = self._address(packet_, "source"), self._address(packet_, "destination")
        if not source or not destination:
            return None
        if len(source) != len(destination):
            place = packet_.words["destination"].place
            self.findings.error("T131", "source and destination are of different families", place)
            return None
        ports = [key for key in ("source_port", "destination_port") if key in packet_.words]
        number = self._word(packet_, "protocol", protocol, TCP if ports else 17)
        if ports and number not in WITH_PORTS:
            place, help = packet_.words[ports[0]].place, "tcp, udp and sctp have ports"
            self.findings.error("T131", "the packet's protocol has no ports", place, help)
            return None
        plain = {key: packet_.words[key].value for key in PLAIN if key in packet_.words}
        code = self._word(packet_, "dscp", dscp, 0)
        fragment = str(packet_.words["fragment"].value) if "fragment" in packet_.words else ""
        return Inner(source, destination, number, dscp=code, fragment=fragment, **plain)  # type: ignore[arg-type]

    def _socket(self, packet_: TestPacket) -> Socket | None:
        cgroup, chose = packet_.words.get("cgroup"), packet_.words.get("chose")
        if cgroup is None and chose is None:
            return None
        if self.program.attribution is None:
            word = cgroup or chose
            assert word is not None
            help = "leave it out, or attach to a cgroup and let a rule ask for it"
            self.findings.error("T131", "no rule of this spec asks what a packet's socket is", word.place, help)
        paths = self._cgroups(cgroup)
        if chose is None:
            return Socket(paths)
        table, _, row = str(chose.value).partition("/")
        tables = {table.name for table in self.program.attribution.tables} if self.program.attribution else set()
        rows = self.facts.tables[c_name(table)].by_name if c_name(table) in tables else {}
        if row not in rows:
            help = (
                did_you_mean(row, rows, "write `TABLE/ROW`")
                if rows
                else "a rule with `socket: TABLE` says what may be chosen"
            )
            self.findings.error("T131", f"`{chose.value}` is no row that a socket may choose", chose.place, help)
        return Socket(paths, (table, row))

    def _cgroups(self, word: Word | None) -> tuple[str, ...]:
        """The paths of a cgroup and of those that it lies in."""
        parts = str(word.value).strip("/").split("/") if word else []
        if word is not None and (str(word.value).startswith("/") or {"", ".", ".."} & set(parts)):
            help = "a path below the attached cgroup, like team-a.slice/web"
            self.findings.error("T131", f"`{word.value}` is not a cgroup's path", word.place, help)
        return tuple("/".join(parts[: i + 1]) for i in range(len(parts)))

    # ---- the headers that it comes in --------------------------------------------------------------------------------

    def _encapsulated(self, packet_: TestPacket, word: Word, inner: bytes) -> bytes:
        arriving = self.program.ingress.stacks if self.program.ingress else ()
        names = sorted({stack.encapsulation for stack in arriving})
        if word.value not in names:
            listed = f"ingress rules decapsulate {', '.join(names)}" if names else "this spec has no ingress rules"
            help = did_you_mean(str(word.value), names, listed)
            words = f"no ingress rule decapsulates `{word.value}`"
            self.findings.error("T131", words, word.place, help)
            return b""
        source = packet_.received.get("ip.source")
        if source is None:
            help = "write `received: {ip.source: ADDRESS}`" if word.place.line else "add `ip.source=ADDRESS`"
            self.findings.error("T131", "nothing says which address it comes from", word.place, help)
            return b""
        family = "ipv6" if ":" in str(source.value) else "ipv4"
        for stack in arriving:
            if stack.encapsulation == word.value and stack.outer_family == family:
                return self._encode(packet_, stack, inner)
        words = f"`{word.value}` does not come in over {family.replace('ip', 'IP')}"
        self.findings.error("T131", words, source.place, "give `ip.source` an address of the other family")
        return b""

    def _encode(self, packet_: TestPacket, stack: ir.Stack, inner: bytes) -> bytes:
        given = {layer.member: self._as_sent(stack, layer) for layer in stack.layers}
        for path, word in packet_.received.items():
            self._set(stack, given, path, word)
        try:
            return encode([(layer.header, given[layer.member]) for layer in stack.layers], inner, FLOW)
        except (ValueError, OverflowError) as error:
            self.findings.error("T131", f"no such packet can be made: {error}", packet_.place)
            return b""

    def _as_sent(self, stack: ir.Stack, layer: ir.Layer) -> dict[str, FieldValue]:
        """What this spec would send, with the two ends exchanged."""
        header = headers()[layer.header]
        sources = {part.name: part.source for word in layer.words for part in word.parts}
        found: dict[str, FieldValue] = {}
        for name, source in sources.items():
            field = header.field(name)
            if field.receive is Receive.EXCHANGE and field.peer in sources:
                source = sources[field.peer]
            role = field.role
            settable = isinstance(role, FromSpec) or (isinstance(role, NextProtocol) and role.settable)
            if not settable:
                continue
            if isinstance(source, ir.Literal):
                found[name] = source.value
            elif isinstance(source, ir.FromHost):
                found[name] = self.facts.host[source.member]
            elif not isinstance(source, ir.FromInner):
                found[name] = bytes(field.bits // 8) if field_type(field) in ADDRESSES else 0
        variable = stack.variable
        if (
            variable is not None
            and variable.layer == layer.member
            and variable.options is not None
            and header.variable is not None
        ):
            found[header.variable.name] = [
                (o.head >> 16, o.head >> 8 & 0xFF, self._data(o)) for o in variable.options.options
            ]
        return found

    def _data(self, option: ir.Option) -> bytes:
        source, value = option.source, 0
        if isinstance(source, ir.Literal):
            value = source.value
        elif isinstance(source, ir.FromHost):
            value = int(self.facts.host[source.member])
        return value.to_bytes(4 * option.words, "big")

    def _set(self, stack: ir.Stack, given: Mapping[str, dict[str, FieldValue]], path: str, word: Word) -> None:
        member, name = field_of(stack, path)
        if member is None:
            known = [layer.member for layer in stack.layers]
            help = did_you_mean(path.partition(".")[0], known, f"it has {', '.join(known)}")
            self.findings.error("T131", f"`{stack.encapsulation}` has no header for `{path}`", word.place, help)
            return
        header = headers()[member.header]
        field = next((f for f in header.fields() if f.name == name), None)
        of_part = variable_part.types(stack, member)
        if field is None and name not in of_part:
            help = did_you_mean(name, [*(f.name for f in header.fields()), *of_part])
            self.findings.error("T131", f"{member.header} has no field `{name}`", word.place, help)
            return
        type_ = field_type(field) if field is not None else of_part[name]
        try:
            value = variable_part.typed(type_, word.value)
        except ValueProblem as problem:
            self.findings.error(problem.code, problem.message, word.place, problem.help)
            return
        part = variable_part.part_of(stack, member)
        if part is not None and isinstance(value, bytes) and field is None and len(value) % part.length.unit:
            words = f"`{path}` has {len(value)} bytes, and its length is counted in units of {part.length.unit}"
            self.findings.error("T131", words, word.place, "write more or fewer bytes")
            return
        option = variable_part.option_of(stack, member, name)
        if option is None:
            given[member.member][name] = value
        else:
            assert isinstance(value, int) and header.variable is not None
            self._set_option(given[member.member], header.variable.name, option, value, word)

    def _set_option(self, given: dict[str, FieldValue], part: str, option: ir.Option, value: int, word: Word) -> None:
        listed = given[part]
        if isinstance(listed, (int, str, bytes)):
            help = "leave either out: the bytes of the whole part have the options in them"
            self.findings.error("T131", f"`{part}` and `{option.name}` are both given", word.place, help)
            return
        head, data = (option.head >> 16, option.head >> 8 & 0xFF), value.to_bytes(4 * option.words, "big")
        given[part] = [(*head, data) if o[:2] == head else o for o in listed]


def field_of(stack: ir.Stack, path: str) -> tuple[ir.Layer | None, str]:
    """The layer and the field that HEADER.FIELD names: `ip.ttl` is the hop limit of an IPv6 header."""
    header, _, name = path.partition(".")
    if header == "ip" and name in IP_FIELDS:
        name = IP_FIELDS[name][stack.layers[0].header]
    return member_of(stack, header), name


def member_of(stack: ir.Stack, header: str) -> ir.Layer | None:
    """The layer that `HEADER` of `HEADER.FIELD` names; `ip` is the outer one of either family."""
    if header == "ip":
        return stack.layers[0]
    return next((layer for layer in stack.layers if header in (layer.member, layer.header)), None)


def _first(words: Mapping[str, Word]) -> Word:
    return next(iter(words.values()))
