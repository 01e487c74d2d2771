"""What stands behind a header's words in a length that differs by packet: opaque bytes, or options."""

from __future__ import annotations

from collections.abc import Callable

from .. import ir
from ..headers.model import Field, Header, Length, Opaque, Options
from ..spec import HeaderUse, OptionUse
from .c_names import c_name

HEAD = 4  # bytes of an option's head
WORD = 4  # bytes: a variable-length part is made of whole words


def length_sent(field: Field, role: Length, member: str, use: HeaderUse, header: Header, size: int) -> ir.Source:
    """What a field that counts the variable-length part is sent as: by the options, by what came in, or for no part.

    `size` is that of the header's words.
    """
    counted = size if role.extent == "header" else 0
    if use.options or header.variable is None or header.variable.name not in use.values:
        return ir.Literal((counted + sum(HEAD + option.length for option in use.options)) // role.unit)
    return ir.FromRow(f"{member}_{field.name}", "u8" if field.bits <= 8 else "u16", received=f"{member}.{field.name}")


def has_critical_option(use: HeaderUse, header: Header) -> bool:
    role = header.variable.role if header.variable else None
    return isinstance(role, Options) and any(option.kind & role.critical for option in use.options)


def words(size: int) -> str:
    """The type of bytes that are kept as they came, as 32-bit words in network byte order."""
    return f"words{size}"


def word_count(type_: str) -> int:
    """Of such a type, 0 of others."""
    return int(type_.removeprefix("words")) if type_.startswith("words") else 0


def received_option(header: str, name: str, size: int) -> ir.FromRow:
    """An option that came in, as it is kept."""
    return ir.FromRow(f"option_{header}__{c_name(name)}", words(size), received=f"{header}.{name}")


def lower_variable_part(
    use: HeaderUse, header: Header, layer: ir.Layer, prefix: str, path: str, source: Callable[[OptionUse], ir.Source]
) -> ir.BoundedSegment:
    """The variable-length part of a header. `prefix` is its encapsulation in the C, `path` its own in the spec."""
    counted = header.variable_length()
    assert header.variable is not None and counted is not None
    word, field = counted
    role, length = header.variable.role, field.role
    assert isinstance(role, Opaque | Options) and isinstance(length, Length)
    besides = layer.size if length.extent == "header" else 0
    longest = ((1 << field.bits) - 1) * length.unit - besides
    may_be_wrong = besides or length.unit % WORD or longest > role.most
    reason = field.refusal or word.refusal or f"{header.name}_{word.name}"
    return ir.BoundedSegment(
        length=ir.LengthField(
            ir.ReceivedField(layer.member, word.name, word.bits, word.shift(field.name), field.bits),
            length.unit,
            besides,
        ),
        most=role.most,
        member=f"{layer.member}_{header.variable.name}",
        received=f"{layer.member}.{header.variable.name}",
        sent=sum(HEAD + option.length for option in use.options),
        options=_options(use, role, prefix, path, source) if isinstance(role, Options) else None,
        reason=reason + layer.member.removeprefix(header.name) if may_be_wrong else "",
    )


def _options(
    use: HeaderUse, role: Options, prefix: str, path: str, source: Callable[[OptionUse], ir.Source]
) -> ir.Options:
    return ir.Options(
        struct=f"options_{prefix}",
        options=tuple(
            ir.Option(
                name=option.name,
                member=f"option_{c_name(option.name)}",
                constant=f"ENCAP_{prefix}__OPTION__{c_name(option.name)}".upper(),
                head=option.option_class << 16 | option.kind << 8 | option.length // 4,
                words=option.length // 4,
                source=source(option),
                reason=f"{use.name}_option_{c_name(option.name)}",
                place=f"{path}.{option.name}",
            )
            for option in use.options
        ),
        constant=f"{use.name}_option".upper(),
        length=(1 << role.head.fields[-1].bits) - 1,
        critical=role.critical << role.head.shift("type"),
    )


def option_of(stack: ir.Stack, header: str, name: str) -> ir.Option | None:
    """The option of a header that a stack wants to receive."""
    if stack.variable is None or stack.variable.options is None or stack.variable.layer != header:
        return None
    return next((o for o in stack.variable.options.options if o.name == name), None)
