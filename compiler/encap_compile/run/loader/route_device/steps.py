"""Making a route device, opening it, and taking it away, in an order in which no packet leaves unencapsulated.

The table is behind a rule: what is put into it has no effect before the rule is there. So everything is filled first,
and the rule goes first. Where there is no rule yet, or no more, packets take the routes that they had, to devices on
which the egress program is attached all the time.

Each step is safe to repeat. What is set is in the journal before it is set, so that a run that is killed leaves nothing
that the next one does not know.
"""

from __future__ import annotations

from dataclasses import replace
from errno import EADDRINUSE, EEXIST

from ....common.diagnostics import DiagnosedError, Diagnostic, Exit
from ...kernel import table_routes, tunnel_devices
from ...kernel.errors import KernelError, NotSupportedError
from ...kernel.sysctls import read_sysctl, writable, write_sysctl
from ...kernel.table_routes import VERSIONS
from .. import journal as journals
from ..closing import table_of
from .decide import ROLE, Wanted
from .seen import Seen, look


def begin(bundle: str, former: str, wanted: Wanted, seen: Seen) -> None:
    """Write down what will be set, and make the device, down and without a program. Raises DiagnosedError (H194)."""
    known = seen.journal
    devices = {**(journals.read(former).devices if former else {}), **known.devices, wanted.name: ROLE}
    journals.write(bundle, replace(known, devices=devices, tables=(wanted.table,)))
    if seen.device(wanted.name) is not None:
        return
    if any(other.port == wanted.port for other in seen.devices):  # ours by another name, until packets are led here
        wanted = replace(wanted, port=wanted.port + 1)
    try:
        tunnel_devices.make_external(wanted.name, tunnel_devices.VXLAN, wanted.port, wanted.owner)
    except NotSupportedError:
        words = f"the route device {wanted.name} cannot be made: this kernel has no vxlan devices"
        raise DiagnosedError(
            [Diagnostic("H194", words, help="load the module: modprobe vxlan")], Exit.MACHINE
        ) from None
    except KernelError as error:
        if error.errno != EEXIST:
            raise
        raise _port_taken(wanted) from None


def open_(bundle: str, former: str, wanted: Wanted) -> None:
    """With every program attached: set it up, fill its table, and lead packets there last. Raises KernelError, OSError,
    DiagnosedError (H194)."""
    seen = look(bundle, former, wanted)
    device = seen.device(wanted.name)
    if device is None:  # somebody has just deleted it: the next apply makes it again
        words = f"the route device {wanted.name} was deleted while it was set up"
        raise DiagnosedError(
            [Diagnostic("H194", words, help="find out what deletes it, and apply again")], Exit.MACHINE
        )
    if device.owner != wanted.owner:  # not before its programs are ours: until then the former bundle must know it
        tunnel_devices.own(device.index, wanted.owner)
    if device.mtu != wanted.mtu:
        tunnel_devices.set_mtu(device.index, wanted.mtu)
    if not device.up:
        try:
            tunnel_devices.set_up(device.index)
        except KernelError as error:
            if error.errno not in (EADDRINUSE, EEXIST):
                raise
            raise _port_taken(wanted) from None
    should = wanted.entries(device.index)
    versions = wanted.routing.versions
    if 6 in versions:
        _have_ipv6(wanted)
    table_routes.fill(wanted.table, should)
    table_routes.open_rules(wanted.table, versions)
    table_routes.close_rules(wanted.table, sorted({*VERSIONS} - versions))
    table_routes.keep_only(wanted.table, should)
    if former:  # whose rule, the older one, is asked first, and may lead to a device that goes
        table_routes.close_rules(table_of(former))
    for other in seen.devices:
        if other.name != wanted.name:
            tunnel_devices.delete(other.index)
    journals.write(bundle, replace(journals.read(bundle), devices={wanted.name: ROLE}))


def close(bundle: str) -> None:
    """Lead no packet to the device any more: the first step of giving it up. Raises KernelError."""
    table_routes.close_rules(table_of(bundle))


def give_up(bundle: str) -> tuple[str, ...]:
    """Take away what there is of a route device: its rule first, the device last; the names of devices that went."""
    seen = look(bundle, "", None)
    if seen.journal.tables:
        _give_back_routes(bundle)
    for device in seen.devices:
        tunnel_devices.delete(device.index)
    journals.write(bundle, replace(journals.read(bundle), devices={}, tables=()))
    return tuple(d.name for d in seen.devices)


def _give_back_routes(bundle: str) -> None:
    table = table_of(bundle)
    table_routes.close_rules(table)
    table_routes.keep_only(table, ())


def _have_ipv6(wanted: Wanted) -> None:
    """Where new devices have no IPv6 (`conf/default/disable_ipv6`), ours has: the setting goes with it."""
    name = f"net/ipv6/conf/{wanted.name}/disable_ipv6"
    if read_sysctl(name) in (None, "0"):
        return
    if not writable(name):
        words = (
            f"the route device {wanted.name} cannot have IPv6, which is routed to it: {name} cannot be set from here"
        )
        fix = f"run on the machine: sysctl -w {name}=0; then apply again"
        raise DiagnosedError([Diagnostic("H194", words, help=fix)], Exit.MACHINE)
    write_sysctl(name, "0")


def _port_taken(wanted: Wanted) -> DiagnosedError:
    words = f"the route device {wanted.name} cannot have UDP port {wanted.port}: another device or socket has it"
    fix = "`ss -ulnp` and `ip -d link show type vxlan` name it; free the port, and apply again"
    return DiagnosedError([Diagnostic("H194", words, help=fix)], Exit.MACHINE)
