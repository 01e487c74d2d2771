"""How the C reaches the counter of a rule: by a pointer, or by its place where their map has several entries."""

from __future__ import annotations

from .. import ir


def count_as(program: ir.Program, function: str, member: str) -> str:
    """The call that counts a packet: `function` is what is done with it, or `count`."""
    if program.counter_entries > 1:
        function, counter = f"{function}_at", f"COUNTER({member})"
    else:
        counter = f"&counters->{member}"
    arguments = f"{counter}, skb" if function.startswith("count") else f"skb, {counter}"
    return f"{function}({arguments})"


def count_socket(program: ir.Program, member: str) -> str:
    """The statement that counts a socket, which has no bytes."""
    if program.counter_entries > 1:
        return f"add_at(COUNTER({member}), 1, 0)"
    return f"counters->{member}.packets++"


def keep_counter(program: ir.Program, member: str) -> str:
    """The statement that keeps which counter is to count a packet that is decapsulated."""
    if program.counter_entries > 1:
        return f"place = COUNTER({member})"
    return f"decapsulated = &counters->{member}"


COUNTING_FILTERS = {f.__name__: f for f in (count_as, count_socket, keep_counter)}
