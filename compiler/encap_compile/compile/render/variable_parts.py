"""Variable-length parts as C: opaque bytes that are kept and put back, and options that are read and written."""

from __future__ import annotations

from collections.abc import Iterator

from .. import ir
from ..lower.counters import refusal_member
from ..lower.layouts import option_words


def option_readers(program: ir.Program) -> list[ir.Decapsulation]:
    """One decapsulation of each encapsulation that may come with options."""
    found: dict[str, ir.Decapsulation] = {}
    for decapsulation in program.decapsulations:
        variable = decapsulation.stack.variable
        if variable and variable.options:
            found.setdefault(variable.options.struct, decapsulation)
    return list(found.values())


def options_struct(program: ir.Program) -> list[ir.Stack]:
    """One stack of each encapsulation that sends options."""
    sent = [s for s in program.stacks if s.variable and s.variable.options and s.variable.options.options]
    return list({s.variable.options.struct: s for s in sent if s.variable and s.variable.options}.values())


def variable_counter(stack: ir.Stack) -> str:
    """The member that says how long the opaque part is that is sent back."""
    assert stack.variable is not None
    field = stack.variable.length.field
    words = [w for layer in stack.layers if layer.member == field.layer for w in layer.words]
    parts = next(w.parts for w in words if w.name == field.word)
    source = next(p.source for p in parts if p.shift == field.shift)
    assert isinstance(source, ir.FromRow)
    return source.member


def in_bytes(number: str, length: ir.LengthField, stack: ir.Stack) -> str:
    """The bytes of a variable-length part, of the number in the field that counts it."""
    text = f"{number} * {length.unit}" if length.unit > 1 else number
    struct = next(layer.struct for layer in stack.layers if layer.member == length.field.layer)
    return f"{text} - sizeof(struct {struct})" if length.besides else text


def header_stacks(program: ir.Program) -> list[ir.Stack]:
    """One stack of each struct of headers behind the outer one."""
    return list({s.headers: s for s in program.stacks if len(s.layers) > 1}.values())


def option_assignments(stack: ir.Stack) -> Iterator[str]:
    """Every word of the options that are sent."""
    for option in stack.variable.options.options if stack.variable and stack.variable.options else ():
        target = f"headers->options.{option.member}"
        yield f"{target}__head = bpf_htonl({option.constant});"
        for i, value in enumerate(_data(option)):
            yield f"{target}[{i}] = {value};"


def _data(option: ir.Option) -> list[str]:
    source = option.source
    if isinstance(source, ir.Literal):
        return [f"bpf_htonl({name})" for name, _ in option_words(option)]
    assert isinstance(source, ir.FromRow | ir.FromHost)
    value = f"row->{source.member}" if isinstance(source, ir.FromRow) else f"host.{source.member}"
    if isinstance(source, ir.FromRow) and source.received:
        return [f"{value}[{i}]" for i in range(option.words)]
    high = f"bpf_htonl({value} >> 32)" if source.type == "u64" else "0"
    return [high, f"bpf_htonl({value})"][-option.words :]


def expected_options(d: ir.Decapsulation) -> list[tuple[str, str]]:
    """(condition for being another, counter) of the options whose data are known."""
    variable = d.stack.variable
    found = []
    for option in variable.options.options if variable and variable.options else ():
        if not isinstance(option.source, ir.FromRow):
            wrong = " || ".join(f"options->{option.member}[{i}] != {value}" for i, value in enumerate(_data(option)))
            found.append((wrong, refusal_member(d.encapsulation, option.reason)))
    return found


def truncated(d: ir.Decapsulation) -> str:
    return refusal_member(d.encapsulation, "truncated")


def wrong_options(d: ir.Decapsulation, how: str = "") -> str:
    """The counter of options that are wrong, or wrong in a certain way."""
    assert d.stack.variable is not None
    return refusal_member(d.encapsulation, f"{d.stack.variable.layer}_options{how}")
