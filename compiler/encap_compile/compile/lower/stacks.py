"""From an encapsulation as written to its segments: one stack for each outer family it can have."""

from __future__ import annotations

from typing import NamedTuple

from ...common.values import parse
from .. import ir
from ..headers import catalogue
from ..headers.catalogue import instance_names
from ..headers.model import (
    DYNAMIC_PORTS,
    Constant,
    Critical,
    Ecn,
    Field,
    FromSpec,
    Header,
    InternetChecksum,
    Length,
    NextProtocol,
    Presence,
    Reserved,
    Word,
)
from ..headers.variable import has_variable_part
from ..resolved import Encapsulation, HostReference
from ..resolved.values import option_field
from ..spec import HeaderUse, OptionUse, Reference, Scalar, Value
from .c_names import c_name, member_name
from .gso import stack_segmentation
from .variable_parts import (
    has_critical_option,
    length_sent,
    lower_variable_part,
    received_option,
)

ALIGNED = {8: 1, 16: 2, 32: 4, 48: 2, 128: 4}  # bits of a struct member -> its alignment in bytes


def given_fields(use: HeaderUse, header: Header) -> dict[str, Value]:
    """The spec's values by the header's own field names: `ip` has words of its own for some of them."""
    if use.name != "ip":
        return dict(use.values)
    return {catalogue.IP_FIELDS[word][header.name]: value for word, value in use.values.items()}


def written(use: HeaderUse, header: Header) -> dict[str, object]:
    """The same, literals as their plain values: what decides which words there are."""
    return {name: v.value if isinstance(v, Scalar) else v for name, v in given_fields(use, header).items()}


def _word(field: Field, use: HeaderUse, header: Header) -> str:
    """What the spec calls a field."""
    words = {catalogue.IP_FIELDS[w][header.name]: w for w in use.values} if use.name == "ip" else {}
    return words.get(field.name, field.name)


def lower_stack(
    number: int,
    encapsulation: Encapsulation,
    family: str,
    kernel: tuple[int, int],
) -> ir.Stack:
    """Decide every word of a stack. `kernel` is the oldest that it must be sent by."""
    uses = encapsulation.headers
    chain = [catalogue.resolve(use.name, family) for use in uses]
    layouts = [header.layout(written(u, header)) for u, header in zip(uses, chain, strict=True)]
    lowered = _Stack(encapsulation, family)
    laid = list(zip(chain, layouts, strict=True))
    members = instance_names([header.name for header in chain])
    paths = [f"{encapsulation.path}.{name}" for name in instance_names([use.name for use in uses])]
    segments: list[ir.Segment] = []
    layers: list[ir.Layer] = []  # of the segment that is not ended yet
    offset = 0
    packed = False
    for position, (use, (header, words)) in enumerate(zip(uses, laid, strict=True)):
        if not words:
            continue
        following = chain[position + 1] if position + 1 < len(chain) else None
        member, path = members[position], paths[position]
        layers.append(lowered.layer(member, path, use, header, words, following, offset))
        packed = packed or offset % max(ALIGNED[w.bits] for w in words) != 0
        offset += layers[-1].size
        if has_variable_part(use.values, header):
            part = lowered.variable_part(use, header, layers[-1], path)
            segments += [ir.FixedSegment(tuple(layers)), part]
            layers = []
            offset += part.sent
    segments += [ir.FixedSegment(tuple(layers))] if layers else []
    flat = [layer for segment in segments if isinstance(segment, ir.FixedSegment) for layer in segment.layers]
    segmented = stack_segmentation(flat, kernel)
    return ir.Stack(
        id=number,
        name=f"{member_name(encapsulation.name)}_{family}",
        c_name=f"{lowered.encapsulation}_{family}",
        encapsulation=encapsulation.name,
        outer_family=family,
        segments=tuple(segments),
        tc_flags=segmented.flags,
        per_segment=segmented.per_segment,
        inner_families=encapsulation.inner_families,
        title=" / ".join(h.name if words else f"bare {h.name}" for h, words in laid),
        place=encapsulation.path,
        packed=packed,
        bare=not layouts[-1],
        apart=uses[0].name == "ip" and any(use.name in ("ip", *catalogue.FAMILIES) for use in uses[1:]),
        uses_hash=any(isinstance(p.source, ir.FromFlow) for layer in flat for w in layer.words for p in w.parts),
    )


# Words of the outermost header that the spec may fix, and what their constants are called.
OUTER_WORDS = {"saddr": "SOURCE", "daddr": "DESTINATION", "ttl": "TTL", "hop_limit": "TTL"}


class _Stack:
    """What all words of one stack share."""

    def __init__(self, encapsulation: Encapsulation, family: str) -> None:
        self.encapsulation = c_name(encapsulation.name)
        self.inner, self.row = encapsulation.inner_families, encapsulation.row_types
        self.host = {use.value.path: use.value for use in encapsulation.host}
        self.family = family

    def layer(
        self,
        member: str,
        path: str,
        use: HeaderUse,
        header: Header,
        words: tuple[Word, ...],
        following: Header | None,
        offset: int,
    ) -> ir.Layer:
        size = sum(word.size for word in words)
        lowered = []
        for word in words:
            parts = tuple(
                ir.Part(f.name, f.bits, word.shift(f.name), self.source(f, member, path, use, header, following, size))
                for f in word.fields
            )
            constant = f"ENCAP_{self.encapsulation}__{member}_{word.name}".upper()
            if offset == 0:  # the library writes it; the families share what the spec says
                known = OUTER_WORDS.get(word.name)
                constant = f"ENCAP_{self.encapsulation}__IP_{known}".upper() if known else ""
            lowered.append(ir.WordLayout(word.name, word.bits, parts, constant if _has_literal(parts) else ""))
        checksum = any(isinstance(f.role, InternetChecksum) for w in words for f in w.fields)
        return ir.Layer(
            member=member,
            struct=struct_name(header, words),
            header=header.name,
            offset=offset,
            size=size,
            words=tuple(lowered),
            checksum_base=f"ENCAP_{self.encapsulation}__{member}_checksum_base".upper() if checksum else "",
        )

    def source(
        self,
        field: Field,
        member: str,
        path: str,
        use: HeaderUse,
        header: Header,
        following: Header | None,
        size: int,
    ) -> ir.Source:
        """Where one field's value comes from, by its role. `path` is the header's in the spec."""
        role = field.role
        given = given_fields(use, header)
        if isinstance(role, Constant):
            return ir.Literal(role.value)
        if isinstance(role, Reserved):
            return ir.Literal(0)
        if isinstance(role, Presence):
            return ir.Literal(int(role.of in given))
        if isinstance(role, InternetChecksum):
            return ir.Checksum(ir.ChecksumScope(role.scope))
        if isinstance(role, Ecn):
            return ir.FromInner("ecn")
        if isinstance(role, Critical):
            return ir.Literal(int(has_critical_option(use, header)))
        if isinstance(role, Length):
            if role.extent in ("header", "variable"):
                return length_sent(field, role, member, use, header, size)
            return ir.LengthFrom(member, role.extent == "payload")
        value = given.get(field.name)
        if isinstance(role, NextProtocol):
            if value is None:
                return self.next_protocol(role.space, following)
            return self.from_spec(field, value, f"{path}.{field.name}")
        assert isinstance(role, FromSpec)
        if value is None:
            return self.keyword_or_literal(field, role.default, "")
        return self.from_spec(field, value, f"{path}.{_word(field, use, header)}")

    def next_protocol(self, space: str, following: Header | None) -> ir.Source:
        if following is not None:
            return ir.Literal(following.announced_as[space])
        numbers = {family: catalogue.headers()[family].announced_as[space] for family in catalogue.FAMILIES}
        if len(self.inner) == 1:
            return ir.Literal(numbers[self.inner[0]])
        return ir.ByInnerFamily(numbers["ipv4"], numbers["ipv6"], space)

    def from_spec(self, field: Field, value: Value, path: str) -> ir.Source:
        if isinstance(value, Scalar):
            return self.keyword_or_literal(field, value.value, path)
        if value.root == "packet":
            return ir.FromInner(value.path[0])
        if value.root == "host":
            host = host_value(self.host[value.path], self.family)
            return ir.FromHost(host.member, host.type)
        if value.root == "received":
            header, word = value.path
            known = catalogue.headers().get(header, catalogue.headers()[self.family])
            return received_value(header, known, word, self.family)
        member = value.path[0]
        type_ = self.row[member]
        return ir.FromRow(f"field_{c_name(member)}", type_, mapped=type_ == "ip" and self.family == "ipv4")

    def variable_part(self, use: HeaderUse, header: Header, layer: ir.Layer, path: str) -> ir.BoundedSegment:
        """The variable-length part of a header. `path` is the header's in the spec."""
        assert header.variable is not None
        place = f"{path}.{header.variable.name}"

        def source(option: OptionUse) -> ir.Source:
            return self.option(option, f"{place}.{option.name}")

        return lower_variable_part(use, header, layer, self.encapsulation, place, source)

    def option(self, option: OptionUse, path: str) -> ir.Source:
        """Where the data of an option come from."""
        if isinstance(option.value, Reference) and option.value.root == "received":
            header, name = option.value.path
            return received_option(header, name, option.length // 4)
        return self.from_spec(option_field(option), option.value, path)

    def keyword_or_literal(self, field: Field, value: int | str | bool | None, place: str) -> ir.Source:
        if value in field.keywords:
            if value == "flow":
                return ir.FromFlow(*DYNAMIC_PORTS) if field.type == "port" else ir.FromFlow(0, 0)
            if value == "inherit":
                return ir.FromInner("dscp" if field.name == "dscp" else "ttl")
            return ir.Literal(0)  # zero: a word, and no number of the spec
        assert value is not None
        parsed = parse(field.type, value)
        return ir.Literal(int.from_bytes(parsed, "big") if isinstance(parsed, bytes) else parsed, place)


def received_value(member: str, header: Header, field: str, family: str) -> ir.FromRow:
    """A field of a received header, as it is kept for the replies. `family` is that of the outer header.

    `member` is the header's in the stack that came in, or `ip` for the outermost whatever its family.
    """
    if member not in ("ip", *catalogue.FAMILIES):
        return ir.FromRow(f"{member}_{field}", header.field(field).type, received=f"{member}.{field}")
    if field in ("source", "destination"):  # one member holds an address of either family
        return ir.FromRow(f"ip_{field}", "ip", mapped=family == "ipv4", received=f"ip.{field}")
    own = catalogue.IP_FIELDS[field][family] if field in catalogue.IP_FIELDS else field
    return ir.FromRow(f"ip_{field}", catalogue.headers()[family].field(own).type, received=f"ip.{field}")


class HostValue(NamedTuple):
    """A member of `struct host`: its name, its value type, and the family picked out of a value that has both."""

    member: str
    type: str
    family: str


def host_value(value: HostReference, family: str) -> HostValue:
    """The member that holds a host value for an outer header of `family`."""
    member = "__".join((f"value_{c_name(value.path[0])}", *value.path[1:]))
    if value.type == "ip":
        return HostValue(f"{member}__{family}", family, family)
    return HostValue(member, value.type, "")


def struct_name(header: Header, words: tuple[Word, ...]) -> str:
    """A header's C struct; optional words that are present show in the name."""
    optional = [w.optional_field for w in words if w.optional_field]
    return "_".join([header.name, *optional, "header"])


def _has_literal(parts: tuple[ir.Part, ...]) -> bool:
    """Whether a part has a value that needs a name: what the spec says has one, zero too."""
    return any(isinstance(p.source, ir.Literal) and (p.source.value or p.source.place) for p in parts)
