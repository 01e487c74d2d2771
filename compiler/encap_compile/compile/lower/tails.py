"""What stands behind a header's words in a length that differs by packet: opaque bytes, or options."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .. import ir
from ..headers import catalogue
from ..headers.model import Field, Header, Opaque, Options
from ..spec import HeaderUse, OptionUse
from .c_names import c_name

HEAD = 4  # bytes of an option's head


def has_tail(use: HeaderUse, header: Header) -> bool:
    """Whether a packet may have the header's tail: an opaque one only if the spec names it."""
    if header.tail is None:
        return False
    return isinstance(header.tail.role, Options) or header.tail.name in use.values


def tail_length(field: Field, member: str, use: HeaderUse, header: Header) -> ir.Source:
    """What the field that counts the tail is sent as: the options' length, that of what came in, or nothing."""
    if use.options or header.tail is None or header.tail.name not in use.values:
        return ir.Literal(sum(HEAD + option.length for option in use.options) // 4)
    return ir.FromRow(f"{member}_{field.name}", "u8", received=f"{member}.{field.name}")


def has_critical_option(use: HeaderUse, header: Header) -> bool:
    role = header.tail.role if header.tail else None
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


def lower_tail(
    use: HeaderUse,
    member: str,
    layers: Sequence[ir.Layer],
    prefix: str,
    path: str,
    source: Callable[[OptionUse], ir.Source],
) -> ir.Tail:
    """The tail of the header that is `member` of the stack. `prefix` is its encapsulation's name in the C, `path` the
    header's in the spec."""
    header = catalogue.headers()[use.name]
    counted = header.tail_length()
    assert header.tail is not None and counted is not None
    role = header.tail.role
    assert isinstance(role, Opaque | Options)
    word, field = counted
    position = next(i for i, layer in enumerate(layers) if layer.member == member)
    return ir.Tail(
        layer=member,
        word=word.name,
        word_bits=word.bits,
        shift=word.shift(field.name),
        bits=field.bits,
        most=role.most,
        member=f"{member}_{header.tail.name}",
        received=f"{member}.{header.tail.name}",
        behind=tuple(layer.member for layer in layers[position + 1 :]),
        fixed=layers[position].offset + layers[position].size,
        options=_options(use, role, prefix, f"{path}.options", source) if isinstance(role, Options) else None,
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
    if stack.tail is None or stack.tail.options is None or stack.tail.layer != header:
        return None
    return next((o for o in stack.tail.options.options if o.name == name), None)
