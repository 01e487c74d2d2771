"""How the C reaches a counter: by a pointer into the first entry of their map, or by its place in any of `entries`."""

from __future__ import annotations


def count_as(function: str, member: str, entries: int) -> str:
    """The call that counts a packet; `function` is what is done with it: `pass`, `drop`, or `count`."""
    counter = f"&counters->{member}"
    if entries > 1:
        function, counter = f"{function}_at", f"COUNTER({member})"
    arguments = f"{counter}, skb" if function.startswith("count") else f"skb, {counter}"
    return f"{function}({arguments})"


def count_socket(member: str, entries: int) -> str:
    """The statement that counts a socket, which has no bytes."""
    return f"add_at(COUNTER({member}), 1, 0);" if entries > 1 else f"counters->{member}.packets++;"


def keep_counter(member: str, entries: int) -> str:
    """The statement that keeps which counter is to count a packet once it is decapsulated."""
    return f"place = COUNTER({member});" if entries > 1 else f"decapsulated = &counters->{member};"
