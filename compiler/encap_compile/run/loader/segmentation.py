"""Devices that are given GSO packets which the kernel cannot segment behind the bundle's headers."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.manifest import Manifest
from ..host_values import Machine
from ..kernel.system import kernel_version

PER_SEGMENT = "egress_gso"  # is there if the bundle has headers that differ by segment
CHECKSUM = "egress_gso_checksum"  # is there if it encapsulates
JUMBO = "egress_gso_jumbo"  # is there if it encapsulates IPv6
UDP_SEGMENT_UNASKED_SINCE = (6, 11)  # before, a socket is refused by a device that fills in no checksums (EIO)
NO_JUMBO_HEADER_SINCE = (7, 0)
LARGEST = 65536  # bytes: GSO_LEGACY_MAX_SIZE
_WHOLE = "tx-udp_tnl-segmentation"


def check_segmentation(manifest: Manifest, machine: Machine, findings: Findings) -> None:
    """H170 to H173 for each device by which local connections may send GSO packets that would be lost."""
    counters = {counter.name for counter in manifest.counters}
    for device in machine.attached:
        if PER_SEGMENT in counters and device.gso_max_segs != 1:
            names = dict.fromkeys(s.encapsulation for s in manifest.stacks if s.per_segment)
            words = f"{device.name} takes GSO packets, and those for {', '.join(names)} are dropped (`{PER_SEGMENT}`)"
            findings.warning(
                "H170", words, help=f"`ip link set dev {device.name} gso_max_segs 1`, and GRO off where they come in"
            )
        lacking = sorted({4, 6} - device.tx_checksum)
        if CHECKSUM in counters and lacking and kernel_version() >= UDP_SEGMENT_UNASKED_SINCE:
            families = " and ".join(f"IPv{version}" for version in lacking)
            words = f"{device.name} fills in no checksums over {families}: what sockets send with UDP_SEGMENT, as QUIC"
            words += f" does, is dropped (`{CHECKSUM}`)"
            fix = f"`ethtool -K {device.name} tx on`"
            if manifest.route_device is None:
                fix += ", or a route device"
            else:
                words += f" by rules that send by {device.name} itself"
            findings.warning("H171", words, help=fix)
        if JUMBO in counters and device.gso_max_size > LARGEST and kernel_version() < NO_JUMBO_HEADER_SINCE:
            words = f"{device.name} has gso_max_size {device.gso_max_size}: TCP over IPv6 makes packets of more than"
            words += f" 64 KB (BIG TCP), which this kernel cannot segment in a tunnel (`{JUMBO}`)"
            findings.error("H172", words, help=f"`ip link set dev {device.name} gso_max_size {LARGEST}`")
        if CHECKSUM in counters and device.gso_ipv4_max_size > LARGEST and device.segments_tunnels:
            words = f"{device.name} has gso_ipv4_max_size {device.gso_ipv4_max_size} and segments tunnels itself: TCP"
            words += " over IPv4 gives it packets of more than 64 KB (BIG TCP), whose length no header can hold"
            fix = f"`ip link set dev {device.name} gso_ipv4_max_size {LARGEST}`"
            findings.warning("H173", words, help=f"{fix}, or `ethtool -K {device.name} {_WHOLE} off`")
