"""Links between namespaces and their properties."""

from __future__ import annotations

import fcntl
import fnmatch
import ipaddress
import socket
import struct
from dataclasses import dataclass

from . import ethtool
from .netns import Namespace

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
BRIDGE_MAC = "02:00:00:00:ff:01"
SEGMENTING = "tx-*-segmentation"
# Device features by the kernel's names; `*` stands for anything but "generic". `on` hands whole GSO packets from
# host to host. `software` makes them up to the hook and cuts them in the kernel behind it, as for a plain NIC: the mode
# in which wrong GSO flags show. `off` has single packets throughout, and only it finished checksums on the wire: with
# tx-checksum-ip-generic off, the kernel leaves those of segments that it cut within a tunnel unfinished all the same,
# because it goes by the device's hw_enc_features there.
CHECKSUM, GATHER, GENERIC = "tx-checksum-ip-generic", "tx-scatter-gather", "tx-generic-segmentation"
OFFLOADS: dict[str, dict[str, bool]] = {
    "on": {CHECKSUM: True, GATHER: True, GENERIC: True, SEGMENTING: True, "rx-gro": True},
    "software": {CHECKSUM: True, GATHER: True, GENERIC: True, SEGMENTING: False, "rx-gro": True},
    "off": {CHECKSUM: False, GATHER: False, GENERIC: False, SEGMENTING: False, "rx-gro": False},
}


@dataclass(frozen=True)
class End:
    """One end of a link."""

    namespace: Namespace
    device: str

    def mac(self) -> str:
        return mac_of(self.namespace, self.device)


def veth(left: Namespace, left_device: str, right: Namespace, right_device: str, mtu: int = 1500) -> tuple[End, End]:
    """Connect two namespaces; both ends are up when it returns."""
    left.ip(
        f"link add name {left_device} mtu {mtu} type veth peer name {right_device} mtu {mtu} netns {right.name}",
        f"link set {left_device} up",
    )
    right.ip(f"link set {right_device} up")
    return End(left, left_device), End(right, right_device)


def bridge(namespace: Namespace, device: str, ports: list[str], mtu: int = 1500) -> None:
    """A bridge without spanning tree or multicast snooping: a plain wire between its ports."""
    # Its own MAC, else it follows the lowest of its ports' and changes when one is added. From the beginning: 5.10
    # floods frames for one that it chose itself, also when it is set to the same again [measured].
    namespace.ip(
        f"link add {device} address {BRIDGE_MAC} type bridge forward_delay 0 mcast_snooping 0",
        f"link set {device} mtu {mtu} up",
        *(f"link set {port} master {device}" for port in ports),
    )


def mac_of(namespace: Namespace, device: str) -> str:
    request = struct.pack("16s24x", device.encode())
    with namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        answer = fcntl.ioctl(control, 0x8927, request)  # SIOCGIFHWADDR
    return answer[18:24].hex(":")


def set_offloads(end: End, mode: str) -> None:
    """Set a device's segmentation and checksum offloads to a mode of `OFFLOADS`."""
    names = ethtool.feature_names(end.namespace, end.device)
    wanted: dict[str, bool] = {}
    for pattern, on in OFFLOADS[mode].items():
        matching = [
            name for name in names if fnmatch.fnmatch(name, pattern) and (pattern == name or "generic" not in name)
        ]
        wanted |= dict.fromkeys(matching, on)
    ethtool.set_features(end.namespace, end.device, names, wanted)


def neighbour(namespace: Namespace, device: str, address: Address | str, mac: str) -> None:
    """A neighbour that is known for good, so that no test waits for or depends on ARP."""
    namespace.ip(neighbour_line(device, address, mac))


def neighbour_line(device: str, address: Address | str, mac: str) -> str:
    """The same as a line for `ip`."""
    return f"neigh replace {address} lladdr {mac} dev {device} nud permanent"
