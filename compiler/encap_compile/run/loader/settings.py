"""Sysctls that a bundle needs: set when it is applied, and given back when it goes, if they are still as we set them.

A program that looks up routes does so as from the loopback device, or from a VRF. The kernel answers only for a device
that forwards (bpf_ipv4_fib_lookup, __bpf_ipv6_fib_lookup), and most hosts do not. Nothing comes from elsewhere by the
loopback device, so its flag alone makes no router of a host; setting it for a VRF's own device does not either, since
packets are forwarded by the flag of the device below that they came by.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from ...common.diagnostics import Findings
from ...common.manifest import Manifest
from ..host_values import Machine
from ..kernel.devices import devices
from ..kernel.sysctls import read_sysctls, writable, write_sysctl
from . import journal as journals
from .journal import Journal, Setting

LOOKUP_IFINDEX = "lookup_ifindex"  # the member of `struct host` by which a program says that it looks up routes
_FORWARDING = {"ipv4": "net/ipv4/conf/{}/forwarding", "ipv6": "net/ipv6/conf/{}/forwarding"}


def wanted_settings(manifest: Manifest, machine: Machine, findings: Findings) -> dict[str, str]:
    """The sysctls by their names, with what they must be. Those that are otherwise and cannot be set are none, but a
    warning (H185): a program that is refused a look-up sends by the neighbour of the attached device. Raises
    KernelError.
    """
    if all(m.source != LOOKUP_IFINDEX or m.member.name != LOOKUP_IFINDEX for m in manifest.host_members):
        return {}
    here = {d.index: d.name for d in devices().values()}
    vrfs = {here[d.master] for d in machine.attached if d.master_kind == "vrf" and d.master in here}
    families = sorted({s.outer_family for s in manifest.stacks})
    names = [_FORWARDING[family].format(name) for name in sorted({"lo", *vrfs}) for family in families]
    now = read_sysctls(names)
    fixed = [name for name, value in now.items() if value != "1" and not writable(name)]
    if fixed:
        words = f"{' and '.join(fixed)} cannot be set from here (/proc/sys is read-only, or another's)"
        fix = "run on the machine: " + " && ".join(f"sysctl -w {name}=1" for name in fixed)
        findings.warning("H185", words, help=fix)
    return {name: "1" for name in now if name not in fixed}


def unset(wanted: Mapping[str, str]) -> dict[str, str]:
    """Those that are not as wanted, with what they are."""
    now = read_sysctls(wanted)
    return {name: now[name] for name, value in wanted.items() if name in now and now[name] != value}


def unwritten(bundle: str, wanted: Mapping[str, str]) -> bool:
    """Whether one is set that the journal does not know yet, or knows one that is no longer wanted."""
    return journals.read(bundle).sysctls.keys() != wanted.keys()


def put(bundle: str, former: str, wanted: Mapping[str, str]) -> None:
    """Write down what they are, then set them. Raises DiagnosedError (H155), OSError."""
    journal = journals.read(bundle)
    if former:  # what it has set is given back by the bundle that replaces it
        journal = replace(journal, sysctls={**journals.read(former).sysctls, **journal.sysctls})
    now = read_sysctls(wanted)
    known = journals.with_sysctls(journal, wanted, now, list(journals.others(bundle)))
    if known != journal or former:
        journals.write(bundle, known)
    for name, value in wanted.items():
        if now.get(name) != value:
            write_sysctl(name, value)


def give_back(bundle: str, wanted: Mapping[str, str]) -> tuple[str, ...]:
    """Set those that are no longer wanted to what they were; their names. Raises DiagnosedError (H155), OSError."""
    journal = journals.read(bundle)
    ours = to_give_back(bundle, journal, wanted)
    restored = {name: value for name, value in ours.items() if writable(name)}
    for name, value in restored.items():
        with suppress(FileNotFoundError):  # its device has gone
            write_sysctl(name, value)
    stuck = ours.keys() - restored.keys()  # written down until somebody may set them
    left = {name: setting for name, setting in journal.sysctls.items() if name in wanted or name in stuck}
    journals.write(bundle, replace(journal, sysctls=left))
    return tuple(restored)


def drift_of_settings(sysctls: Mapping[str, Setting]) -> list[str]:
    """Those of a journal that are not as we have set them, a sentence each."""
    now = read_sysctls(sysctls)
    changed = ((name, now[name], setting.ours) for name, setting in sysctls.items() if name in now)
    return [f"sysctl {name} is {value}, not {ours}: apply again" for name, value, ours in changed if value != ours]


def to_give_back(bundle: str, journal: Journal, wanted: Mapping[str, str]) -> dict[str, str]:
    """What would be set to what. Raises DiagnosedError (H155)."""
    return journals.to_restore(journal, wanted, read_sysctls(journal.sysctls), list(journals.others(bundle)))
