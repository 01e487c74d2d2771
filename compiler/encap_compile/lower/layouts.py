"""The named constants that the C shows: what the spec and the protocols fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .. import ir
from ..values import address_text
from .names import c_name
from .word_checks import port_layer


def constant_groups(
    stacks: Sequence[ir.Stack],
    encapsulating: frozenset[str],
    decapsulators: Sequence[ir.Decapsulator],
    compared: frozenset[str],
) -> tuple[ir.ConstantGroup, ...]:
    """Per stack: its overhead, its flags, every word that is fixed, and what is compared on receive.

    `compared`: overheads of stacks that are only received, but with which those of others are compared.
    """
    received = {d.stack.name: d for d in decapsulators}
    shared = _shared([stack for stack in stacks if stack.name in encapsulating])
    said: set[str] = set()
    groups = []
    for stack in stacks:
        group = _group(stack, stack.name in encapsulating, received.get(stack.name), compared, shared)
        # What the families of an encapsulation share stands with the first of them.
        new = tuple(c for c in group.constants if c.name not in said)
        said |= {c.name for c in new}
        groups.append(group._replace(constants=new))
    return tuple(groups)


def _shared(stacks: Sequence[ir.Stack]) -> dict[str, str]:
    """A value of the spec that is in words of both families, as a TTL is, has a constant of its own: place -> name."""
    used: dict[str, set[str]] = {}
    for stack in stacks:
        for word in (word for layer in stack.layers for word in layer.words if word.constant):
            for place in (p.source.place for p in word.parts if isinstance(p.source, ir.Literal) and p.source.place):
                used.setdefault(place, set()).add(word.constant)
    found = {}
    for place, words in used.items():
        if len(words) > 1:
            _, encapsulation, header, field = place.split(".")
            found[place] = f"ENCAP_{c_name(encapsulation)}__{header}_{field}".upper()
    return found


def _group(
    stack: ir.Stack,
    encapsulates: bool,
    received: ir.Decapsulator | None,
    compared: frozenset[str],
    shared: Mapping[str, str],
) -> ir.ConstantGroup:
    constants = []
    if encapsulates or stack.overhead_constant in compared:
        constants.append(ir.NamedConstant(stack.overhead_constant, str(stack.overhead), "bytes"))
    if received and stack.layers[1:]:
        behind = f"bytes behind the outer IP header{f', up to {stack.tail.received}' if stack.tail else ''}"
        size = stack.tail.fixed if stack.tail else stack.overhead
        constants.append(ir.NamedConstant(stack.fixed_constant, str(size - stack.outer_size), behind))
    if stack.tail is not None and (received or stack.tail.options is None):
        constants.append(ir.NamedConstant(f"{stack.tail.member}_MAX".upper(), str(stack.tail.most), "bytes"))
    constants += _options(stack, received is not None)
    if encapsulates:
        flags = " | ".join(stack.room_flags)
        constants.append(ir.NamedConstant(f"{stack.constant}__ROOM", f"({flags})", ""))
    for layer in stack.layers:
        for word in layer.words:
            if word.constant and (encapsulates or _is_port(stack, layer, word)):
                constants += _shared_constants(word, shared)
                constants.append(_constant(word, shared))
        if layer.checksum_base and encapsulates:
            constants.append(_checksum_base(layer))
    for check in received.checks if received else ():
        if check.layer == stack.layers[0].member:
            continue  # validated by the library
        digits = check.bits // 4 + 2
        if check.mask_constant:
            constants.append(
                ir.NamedConstant(check.mask_constant, f"{check.mask:#0{digits}x}", f"on receive: {check.fields}")
            )
        if check.constant and check.bits <= 32 and isinstance(check.expected, ir.Literal):
            said = "" if check.mask_constant else f"on receive: {check.fields}"
            constants.append(ir.NamedConstant(check.constant, f"{check.expected.value:#0{digits}x}", said))
    return ir.ConstantGroup(f"{stack.place}: {stack.title}, {stack.overhead} bytes", tuple(constants))


def _options(stack: ir.Stack, received: bool) -> list[ir.NamedConstant]:
    if stack.tail is None or stack.tail.options is None:
        return []
    constants = []
    if received:
        options = stack.tail.options
        said = "in an option's head: how many words follow it"
        constants.append(ir.NamedConstant(f"{options.constant}_LENGTH", f"{options.length:#x}", said))
        said = "in an option's head: who does not know it must refuse it"
        constants.append(ir.NamedConstant(f"{options.constant}_CRITICAL", f"{options.critical:#06x}", said))
    for option in stack.tail.options.options:
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


def _shared_constants(word: ir.WordLayout, shared: Mapping[str, str]) -> list[ir.NamedConstant]:
    return [
        ir.NamedConstant(shared[p.source.place], str(p.source.value), p.source.place)
        for p in word.parts
        if isinstance(p.source, ir.Literal) and p.source.place in shared
    ]


def _constant(word: ir.WordLayout, shared: Mapping[str, str]) -> ir.NamedConstant:
    """What the spec says is told apart from what the protocol fixes, so that its value stands in one place."""
    value = fixed = 0
    said = []
    from_spec = []
    for part in word.parts:
        if not isinstance(part.source, ir.Literal):
            continue
        value |= part.source.value << part.shift
        if part.source.place in shared:
            from_spec.append((shared[part.source.place], part.shift))
        elif part.source.place:
            from_spec.append((f"{part.source.value}U" if part.shift else str(part.source.value), part.shift))
            said.append(part.source.place)
        else:
            fixed |= part.source.value << part.shift
            if len(word.parts) > 1 and part.source.value:
                said.append(f"{part.name} {part.source.value}")
    if from_spec and (len(word.parts) > 1 or from_spec[0][0] in shared.values()) and word.bits <= 32:
        terms = [f"{fixed:#x}"] if fixed else []
        terms += [f"({text} << {shift})" if shift else text for text, shift in from_spec]
        text = terms[0] if len(terms) == 1 else f"({' | '.join(terms)})"
        return ir.NamedConstant(word.constant, text, ", ".join(said))
    if word.bits == 128:
        packed = value.to_bytes(16, "big")
        words = ", ".join(f"bpf_htonl({int.from_bytes(packed[i : i + 4], 'big'):#x})" for i in range(0, 16, 4))
        return ir.NamedConstant(word.constant, f"((struct ipv6_address){{{{{words}}}}})", address_text(packed))
    if word.bits == 48:
        packed = value.to_bytes(6, "big")
        halves = ", ".join(f"bpf_htons({int.from_bytes(packed[i : i + 2], 'big'):#x})" for i in range(0, 6, 2))
        return ir.NamedConstant(word.constant, f"((struct mac_address){{{{{halves}}}}})", packed.hex(":"))
    if len(word.parts) > 1 or value > 0xFFFF:
        if word.name in ("saddr", "daddr"):
            said.insert(0, address_text(value.to_bytes(4, "big")))
        return ir.NamedConstant(word.constant, f"{value:#0{word.bits // 4 + 2}x}", ", ".join(said))
    return ir.NamedConstant(word.constant, str(value), ", ".join(said))


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
