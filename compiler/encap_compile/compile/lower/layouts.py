"""The named constants that the C shows: what the spec and the protocols fix."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ir
from ..headers import catalogue
from ..headers.model import NextProtocol, Space
from .word_checks import port_layer

ETHERTYPES = {0x0800: "ETH_P_IP", 0x86DD: "ETH_P_IPV6"}


def constant_groups(
    stacks: Sequence[ir.Stack],
    encapsulating: frozenset[str],
    decapsulations: Sequence[ir.Decapsulation],
    compared: frozenset[str],
) -> tuple[ir.ConstantGroup, ...]:
    """Per encapsulation: its overhead, its flags, every word that is fixed, and what is compared on receive.

    `compared`: overheads of stacks that are only received, but with which those of others are compared.
    """
    received = {outer.stack.name: d for d in decapsulations for outer in d.outers}
    together: dict[str, list[ir.Stack]] = {}
    for stack in stacks:
        together.setdefault(stack.shared_name, []).append(stack)
    groups = []
    for own in together.values():
        found: dict[str, ir.NamedConstant] = {}
        for stack in own:
            for constant in _constants(stack, stack.name in encapsulating, received.get(stack.name), compared):
                found.setdefault(constant.name, constant)
        groups.append(ir.ConstantGroup(_title(own), tuple(found.values())))
    return tuple(group for group in groups if group.constants)


def _title(stacks: Sequence[ir.Stack]) -> str:
    """`encapsulations.vxlan: ipv4 or ipv6 / udp / vxlan / ethernet, 50 or 70 bytes`."""
    _, *behind = stacks[0].title.split(" / ", 1)
    headers = " / ".join([" or ".join(s.outer_family for s in stacks), *behind])
    return f"{stacks[0].place}: {headers}, {' or '.join(str(s.overhead) for s in stacks)} bytes"


def _constants(
    stack: ir.Stack, encapsulates: bool, received: ir.Decapsulation | None, compared: frozenset[str]
) -> list[ir.NamedConstant]:
    constants = []
    if stack.overhead_constant in compared:
        constants.append(ir.NamedConstant(stack.overhead_constant, str(stack.overhead), "bytes"))
    if stack.layers[1:]:
        size, behind = stack.overhead - stack.outer_size, "bytes behind the outer IP header"
        constants.append(ir.NamedConstant(stack.headers_constant, str(size), behind))
    if stack.variable and received:
        size, behind = stack.before - stack.outer_size, f"bytes of these up to {stack.variable.received}"
        constants.append(ir.NamedConstant(stack.fixed_constant, str(size), behind))
    if stack.variable is not None and (received or stack.variable.options is None):
        constants.append(ir.NamedConstant(f"{stack.variable.member}_MAX".upper(), str(stack.variable.most), "bytes"))
    constants += _options(stack, received is not None)
    if encapsulates and stack.tc_flags[1:]:
        flags = " | ".join(stack.tc_flags[1:])
        constants.append(ir.NamedConstant(f"{stack.shared_constant}__ROOM", f"({flags})", ""))
    constants += _outer(stack) if encapsulates else []
    for layer in stack.layers:
        for word in layer.words:
            if word.constant and (encapsulates or _is_port(stack, layer, word) or (received and word.name == "saddr")):
                constants.append(_constant(word, layer))
        if layer.checksum_base and encapsulates and layer is not stack.layers[0]:
            constants.append(_checksum_base(layer))
    for check in received.checks if received else ():
        digits = check.bits // 4 + 2
        if check.mask_constant:
            constants.append(
                ir.NamedConstant(check.mask_constant, f"{check.mask:#0{digits}x}", f"on receive: {check.fields}")
            )
        own = next(layer for layer in stack.layers if layer.member == check.layer)
        sent = next((w for w in own.words if check.constant and w.constant == check.constant), None)
        if sent is not None:
            constants += [] if encapsulates else [_constant(sent, own)]
        elif check.constant and isinstance(check.expected, ir.Literal):
            said = "" if check.mask_constant else f"on receive: {check.fields}"
            constants.append(ir.NamedConstant(check.constant, f"{check.expected.value:#0{digits}x}", said))
    return constants


def _outer(stack: ir.Stack) -> list[ir.NamedConstant]:
    """Fields of the outermost header within a word, where the spec says what they are."""
    parts = {p.name: p.source for w in stack.layers[0].words for p in w.parts}
    found = []
    for name in ("dscp", "flow_label"):
        source = parts.get(name)
        if isinstance(source, ir.Literal) and (source.value or source.place):
            found.append(ir.NamedConstant(stack.outer_constant(name), str(source.value), source.place))
    return found


def _options(stack: ir.Stack, received: bool) -> list[ir.NamedConstant]:
    if stack.variable is None or stack.variable.options is None:
        return []
    constants = []
    if received:
        options = stack.variable.options
        said = "in an option's head: how many words follow it"
        constants.append(ir.NamedConstant(f"{options.constant}_LENGTH", f"{options.length:#x}", said))
        said = "in an option's head: who does not know it must refuse it"
        constants.append(ir.NamedConstant(f"{options.constant}_CRITICAL", f"{options.critical:#06x}", said))
    for option in stack.variable.options.options:
        said = f"class, type, words: {option.place}"
        constants.append(ir.NamedConstant(option.constant, f"{option.head:#010x}", said))
        for name, value in option_words(option):
            constants.append(ir.NamedConstant(name, f"{value:#010x}", ""))
    return constants


def option_words(option: ir.Option) -> list[tuple[str, int]]:
    """The names and values of an option's data, word by word, if the spec says what they are."""
    if not isinstance(option.source, ir.Literal):
        return []
    data = option.source.value.to_bytes(4 * option.words, "big")
    numbers = [f"_{i}" if option.words > 1 else "" for i in range(option.words)]
    return [
        (f"{option.constant}__VALUE{number}", int.from_bytes(data[4 * i : 4 * i + 4], "big"))
        for i, number in enumerate(numbers)
    ]


def _is_port(stack: ir.Stack, layer: ir.Layer, word: ir.WordLayout) -> bool:
    return layer is port_layer(stack) and word.name == "destination_port"


def _constant(word: ir.WordLayout, layer: ir.Layer) -> ir.NamedConstant:
    """What the spec says is separate from what the protocol fixes, so that its value stands in one place."""
    value = fixed = 0
    said = []
    from_spec = []
    for part in word.parts:
        if not isinstance(part.source, ir.Literal):
            continue
        value |= part.source.value << part.shift
        if part.source.place:
            from_spec.append(f"({part.source.value}U << {part.shift})" if part.shift else str(part.source.value))
            said.append(part.source.place)
        else:
            fixed |= part.source.value << part.shift
            if len(word.parts) > 1 and part.source.value:
                said.append(f"{part.name} {part.source.value}")
    if from_spec and len(word.parts) > 1 and word.bits <= 32:
        terms = [*([f"{fixed:#x}"] if fixed else []), *from_spec]
        text = terms[0] if len(terms) == 1 else f"({' | '.join(terms)})"
        return ir.NamedConstant(word.constant, text, ", ".join(said))
    if word.bits in (48, 128) or word.name in ("saddr", "daddr"):
        return ir.NamedConstant(word.constant, _address(value, word.bits), ", ".join(said))
    if len(word.parts) > 1 or value > 0xFFFF:
        return ir.NamedConstant(word.constant, f"{value:#0{word.bits // 4 + 2}x}", ", ".join(said))
    if value in ETHERTYPES and _is_ethertype(word, layer):
        return ir.NamedConstant(word.constant, ETHERTYPES[value], ", ".join(said))
    return ir.NamedConstant(word.constant, str(value), ", ".join(said))


def _is_ethertype(word: ir.WordLayout, layer: ir.Layer) -> bool:
    """Whether a word of one part says what follows, as a number of IEEE 802."""
    role = catalogue.headers()[layer.header].field(word.parts[0].name).role
    return isinstance(role, NextProtocol) and role.space == Space.ETHERTYPE


def _address(value: int, bits: int) -> str:
    """An address as the library's macros take it."""
    width = 2 if bits == 128 else 1
    packed = value.to_bytes(bits // 8, "big")
    groups = [int.from_bytes(packed[i : i + width], "big") for i in range(0, len(packed), width)]
    texts = [str(group) if bits == 32 or not group else f"{group:#x}" for group in groups]
    macro = {32: "IPV4", 48: "MAC", 128: "IPV6_ADDRESS"}[bits]
    return f"{macro}({', '.join(texts)})"


def _checksum_base(layer: ir.Layer) -> ir.NamedConstant:
    """One's complement sum of the header's words that are known when compiling (RFC 1071), host order.

    Where the spec says one of them, the C adds them up, so that the spec's value stands in one place.
    """
    total = bit = 0
    terms = []
    from_spec = False
    for word in layer.words:
        bit += word.bits
        shift = -bit % 16
        for part in word.parts:
            if isinstance(part.source, ir.Literal):
                total += part.source.value << part.shift << shift
                from_spec = from_spec or bool(part.source.place)
        if word.constant and word.bits == 32:
            terms += [f"({word.constant} >> 16)", f"({word.constant} & 0xffff)"]
        elif word.constant:
            terms.append(f"({word.constant} << {shift})" if shift else word.constant)
    if from_spec and terms:
        return ir.NamedConstant(layer.checksum_base, f"FOLDED({' + '.join(terms)})", "")
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ir.NamedConstant(layer.checksum_base, f"{total:#06x}", "sum of the constant words above")
