"""Lone segments over the overlay where no route has an mtu, and whether they arrive.

The hosts at the far end announce what their own link takes, as hosts behind a tunnel endpoint do.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_network
from threading import Thread

from . import kernel_vxlan
from .links import mac_of, neighbour, set_offloads, veth
from .netns import Namespace
from .overlay import Overlay
from .topology import PLAN, Topology
from .traffic import Host

LINK = 1500
SEGMENTS = {4: LINK - 40, 6: LINK - 60}  # without a tunnel
STALLED = 2.0


def network_without_route_mtu(topology: Topology, outer: int) -> Overlay:
    overlay = Overlay(topology, outer)
    for role in ("far", "near"):
        topology.route_overlay("ours", role, direct=False, mtu=LINK)
        for version in (4, 6):
            words = f"dev {kernel_vxlan.DEVICE} src {PLAN[role].overlay[version]} advmss {SEGMENTS[version]}"
            topology.namespaces[role].ip(f"route replace {PLAN['ours'].prefix[version]} {words}")
    return overlay


def write_arrives(source: Host, destination: Host, size: int, port: int = 7200, timeout: float = STALLED) -> bool:
    """One write over a new connection: a lone segment, or as few as it takes."""
    with (
        destination.namespace.socket(destination.family, socket.SOCK_STREAM) as listener,
        source.namespace.socket(source.family, socket.SOCK_STREAM) as client,
    ):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((destination.address, port))
        listener.listen()
        client.bind((source.address, 0))
        client.settimeout(5)
        client.connect((destination.address, port))
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(timeout)
            client.settimeout(timeout)
            # Beside the reading: no more than the buffers hold is written until something is read.
            writing = Thread(target=_write, args=(client, size))
            writing.start()
            got = 0
            try:
                while got < size:
                    got += len(accepted.recv(65536))
            except TimeoutError:
                return False
            finally:
                client.shutdown(socket.SHUT_RDWR)
                writing.join()
            return True


def _write(client: socket.socket, size: int) -> None:
    with suppress(OSError):  # what does not arrive is the reader's to say
        client.sendall(bytes(size))


def segment_sizes(outer: int, inner: int) -> list[int]:
    """Near what fits with the headers, and near what fits without."""
    fits = SEGMENTS[inner] - kernel_vxlan.OVERHEAD[outer]
    return [fits - 13, fits - 12, fits - 11, fits - 1, fits, fits + 1, SEGMENTS[inner] - 12, SEGMENTS[inner]]


@contextmanager
def host_behind(overlay: Overlay, inner: int) -> Iterator[Host]:
    """A host behind ours, whose link takes as much as ours does. Ours writes the checksums of what goes to it."""
    topology = overlay.topology
    ours = topology.ours
    address = str(ip_network(PLAN["ours"].prefix[inner])[200])
    gateway = {4: "169.254.7.1", 6: "fe80::7"}[inner]
    with Namespace("pod") as pod, ExitStack() as undo:
        for end in veth(ours, "pod0", pod, "eth0", LINK):
            set_offloads(end, "off")
        undo.callback(ours.ip, "link del pod0")  # a namespace ends some time after it was deleted, with its devices
        ours.sysctl(f"net.ipv{inner}.conf.all.forwarding", 1)
        width = {4: 32, 6: 128}[inner]
        ours.ip(f"addr add {gateway}/{width} dev pod0 nodad", f"route add {address}/{width} dev pod0")
        pod.ip(f"addr add {address}/{width} dev eth0 nodad", f"route add {gateway}/{width} dev eth0")
        pod.ip(f"route add default via {gateway} dev eth0 src {address}")
        neighbour(ours, "pod0", address, mac_of(pod, "eth0"))
        neighbour(pod, "eth0", gateway, mac_of(ours, "pod0"))
        neighbour(topology.far, kernel_vxlan.DEVICE, address, topology.mac("ours"))
        yield Host(pod, address)
