"""What changes on network devices and their addresses, as the kernel tells it (man 7 rtnetlink, its groups)."""

from __future__ import annotations

import select
import socket
import time
from types import TracebackType
from typing import Self

# include/uapi/linux/rtnetlink.h, as bits for struct sockaddr_nl
_RTMGRP_LINK, _RTMGRP_IPV4_IFADDR, _RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100
# The same as numbers: RTNLGRP_IPV4_ROUTE, _IPV4_RULE, _IPV6_ROUTE, _IPV6_RULE
_ROUTES_AND_RULES = (7, 8, 11, 19)
_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP = 270, 1
QUIET = 0.03  # seconds without a message that end a burst, as when a device comes with its addresses
BURST = 0.5  # seconds that a burst may last before it is looked at


class Changes:
    """A netlink socket that hears of devices and addresses of this thread's network namespace; a context manager.

    What a message says is not read: whoever is woken up looks at everything. So nothing is missed when the kernel
    drops messages because too many came (ENOBUFS).
    """

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        )
        self._socket.bind((0, _RTMGRP_LINK | _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR))

    def follow_routes(self) -> None:
        """Hear of routes and routing rules as well. Safe to repeat."""
        for group in _ROUTES_AND_RULES:
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)

    @property
    def fd(self) -> int:
        """It can be read when something has changed."""
        return self._socket.fileno()

    def drain(self) -> bool:
        """Take what there is; whether there was something."""
        some = False
        while True:
            try:
                self._socket.recv(1 << 16)
            except BlockingIOError:
                return some
            except OSError as error:
                if error.errno != 105:  # ENOBUFS: messages were dropped
                    raise
            some = True

    def settle(self) -> bool:
        """Take a burst of messages until it ends, or lasts too long; whether there was one."""
        end = time.monotonic() + BURST
        some = self.drain()
        while some and time.monotonic() < end and select.select([self._socket], [], [], QUIET)[0]:
            self.drain()
        return some

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
