"""What the numbers and hashes of a manifest may be.

A loader that believed others would hang, end in the middle, or read what is not there.
"""

from __future__ import annotations

import re
from ipaddress import ip_network

from .manifest import Layout, Manifest, Member, RouteDevice
from .structured import MalformedError

MOST_LAYOUT = 1 << 16  # bytes of a key, a value or the host values; the kernel's own bound for keys is 512
MOST_COUNTERS = 32768  # bytes of a per-CPU value (PCPU_MIN_UNIT_SIZE)
MOST_COUNTERS_OF_ALL = 1 << 20  # bytes of all entries, for each CPU of the machine
MOST_ENTRIES = (1 << 32) - 1  # max_entries of a map is a u32
MOST_OVERHEAD = 0xFFF  # bytes that bpf_skb_adjust_room() makes room for
COUNTER = 16  # bytes: packets and bytes, two u64
BITS = 64
_DEVICE = re.compile(r"[^\s/:%]{1,15}")  # as dev_valid_name() has it
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_bounds(manifest: Manifest) -> None:
    """Raises MalformedError with the path of the first number that is out of bounds, or hash that is none."""
    for name, value in (("identity", manifest.identity), ("program", manifest.program or manifest.identity)):
        if not _SHA256.fullmatch(value):
            raise MalformedError(f"manifest.{name}: 64 hexadecimal digits are expected")
    _layout(manifest.host_layout, "manifest.host_layout")
    for i, host in enumerate(manifest.host_members):
        _member(host.member, manifest.host_layout.size, f"manifest.host_members[{i}].member")
    for i, table in enumerate(manifest.tables):
        where = f"manifest.tables[{i}]"
        _layout(table.key, f"{where}.key")
        _layout(table.value, f"{where}.value")
        _within(table.capacity, 0, MOST_ENTRIES, f"{where}.capacity")
        for j, column in enumerate(table.columns):
            for length in column.prefix_lengths:
                _within(length, 0, 128, f"{where}.columns[{j}].prefix_lengths")
        for j, stack in enumerate(table.stacks):
            _within(stack.id, 0, (1 << 32) - 1, f"{where}.stacks[{j}].id")
    for i, source_set in enumerate(manifest.source_sets):
        _layout(source_set.key, f"manifest.source_sets[{i}].key")
        _within(source_set.capacity, 0, MOST_ENTRIES, f"manifest.source_sets[{i}].capacity")
    for i, prefix_set in enumerate(manifest.prefix_sets):
        _layout(prefix_set.key, f"manifest.prefix_sets[{i}].key")
        _within(prefix_set.capacity, 0, MOST_ENTRIES, f"manifest.prefix_sets[{i}].capacity")
        if prefix_set.key.size not in (8, 20):
            raise MalformedError(f"manifest.prefix_sets[{i}].key.size: 8 or 20 is expected")
    _within(manifest.counters_size, 0, MOST_COUNTERS, "manifest.counters_size")
    size, entries = manifest.counters_size, max(manifest.counters_entries, 1)
    _within(manifest.counters_entries, 0, MOST_COUNTERS_OF_ALL // max(size, COUNTER), "manifest.counters_entries")
    for i, counter in enumerate(manifest.counters):
        where = f"manifest.counters[{i}].offset"
        _within(counter.offset, 0, entries * size - COUNTER, where)
        if counter.offset % size > size - COUNTER:
            raise MalformedError(f"{where}: {counter.offset} crosses from one entry to the next")
    for i, stack in enumerate(manifest.stacks):
        _within(stack.overhead, 0, MOST_OVERHEAD, f"manifest.stacks[{i}].overhead")
    _within(manifest.max_overhead, 0, MOST_OVERHEAD, "manifest.max_overhead")
    for i, tunnel in enumerate(manifest.tunnel_ports):
        _within(tunnel.port, 1, 0xFFFF, f"manifest.tunnel_ports[{i}].port")
    if manifest.route_device is not None:
        _route_device(manifest.route_device, manifest)
    for i, cgroup in enumerate(manifest.cgroups):
        _within(cgroup.bit, 0, BITS - 1, f"manifest.cgroups[{i}].bit")


def _route_device(device: RouteDevice, manifest: Manifest) -> None:
    where = "manifest.route_device"
    if not _DEVICE.fullmatch(device.name) or device.name in (".", "..", "lo", "all", "default"):
        raise MalformedError(f"{where}.name: no network device can be called so")
    _within(device.overhead, 0, MOST_OVERHEAD, f"{where}.overhead")
    by_destination = {t.name for t in manifest.tables if any(c.name == "destination" for c in t.columns)}
    for i, route in enumerate(device.routes):
        if route.table and route.table not in by_destination:
            raise MalformedError(f"{where}.routes[{i}].table: no table with rows by destination")
        for text in (*route.prefixes, *route.passed):
            check_prefix(text, f"{where}.routes[{i}]")


def check_prefix(text: str, where: str) -> None:
    """Raises MalformedError for what is no prefix of IPv4 or IPv6."""
    try:
        ip_network(text)
    except ValueError:
        raise MalformedError(f"{where}: a prefix is expected") from None


def _layout(layout: Layout, where: str) -> None:
    _within(layout.size, 0, MOST_LAYOUT, f"{where}.size")
    for i, member in enumerate(layout.members):
        _member(member, layout.size, f"{where}.members[{i}]")


def _member(member: Member, whole: int, where: str) -> None:
    _within(member.size, 0, whole, f"{where}.size")
    _within(member.offset, 0, whole - member.size, f"{where}.offset")


def _within(number: int, least: int, most: int, where: str) -> None:
    if not least <= number <= most:
        raise MalformedError(f"{where}: {number} is not between {least} and {max(least, most)}")
