"""TCX links (Linux 6.6): a program on a device's hook, held by a descriptor or a pin."""

from __future__ import annotations

from ctypes import POINTER, byref, c_uint32, cast, sizeof

from .constants import BPF_MPROG_MAX, BPF_TCX_INGRESS
from .errors import KernelError
from .handle import Handle
from .info import LinkInfo, link_info
from .libbpf import QueryOptions, libbpf

LOOPBACK = 1  # the ifindex of lo in every network namespace


class Link(Handle):
    """A link, by its descriptor. Methods raise KernelError."""

    @classmethod
    def create_tcx(cls, program_fd: int, ifindex: int, attach_type: int) -> Link:
        """Put a program behind those already on the hook; options stay null, which every libbpf 1.x passes through."""
        return cls(libbpf().bpf_link_create(program_fd, ifindex, attach_type, None))

    @property
    def info(self) -> LinkInfo:
        return link_info(self.fd)

    def update(self, program_fd: int) -> None:
        """Replace the program in one step (BPF_LINK_UPDATE); its place among the others stays."""
        libbpf().bpf_link_update(self.fd, program_fd, None)

    def detach(self) -> None:
        """Take the program off the hook now; closing the last descriptor would do it some time later."""
        libbpf().bpf_link_detach(self.fd)


def programs_on(ifindex: int, attach_type: int) -> tuple[int, ...]:
    """The ids of the programs on a TCX hook, in the order they run. Raises KernelError (EINVAL before 6.6)."""
    ids = (c_uint32 * BPF_MPROG_MAX)()
    query = QueryOptions(sz=sizeof(QueryOptions), prog_ids=cast(ids, POINTER(c_uint32)), count=BPF_MPROG_MAX)
    libbpf().bpf_prog_query_opts(ifindex, attach_type, byref(query))
    return tuple(ids[: query.count])


def tcx_supported() -> bool:
    """Whether this kernel has TCX. Raises NotPermittedError without CAP_NET_ADMIN."""
    try:
        programs_on(LOOPBACK, BPF_TCX_INGRESS)
    except KernelError as error:
        if error.errno in (1, 13):
            raise
        return False
    return True
