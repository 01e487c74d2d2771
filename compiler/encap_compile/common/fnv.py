"""FNV-1a, 32 bit: the number of a name, the same in every version of a spec, whatever else comes and goes.

Rows without a key, stacks, tables, rules, filters' handles and routing tables are known by it; in C it is
`templates/bpf/include/encap_socket.h`. See draft-eastlake-fnv.
"""

from __future__ import annotations


def fnv1a(name: str) -> int:
    """The hash of a name in UTF-8."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value
