"""Links: a program on the hook of a device (TCX, Linux 6.6) or a cgroup (5.7), held by a descriptor or a pin."""

from __future__ import annotations

from ctypes import POINTER, byref, c_uint32, cast, sizeof

from .errors import KernelError
from .handle import Handle
from .info import LinkInfo, link_info
from .libbpf import QueryOptions, libbpf
from .uapi import BPF_MPROG_MAX, BPF_TCX_INGRESS

LOOPBACK = 1  # the ifindex of lo in every network namespace


class Link(Handle):
    """A link, by its descriptor. Methods raise KernelError."""

    @classmethod
    def create(cls, program_fd: int, target: int, attach_type: int) -> Link:
        """Put a program behind those already on the hook; `target` is a device's ifindex or a cgroup's descriptor.

        Options stay null, which every libbpf 1.x passes through. On a cgroup, several links may be (BPF_F_ALLOW_MULTI).
        """
        return cls(libbpf().bpf_link_create(program_fd, target, attach_type, None))

    @property
    def info(self) -> LinkInfo:
        return link_info(self.fd)

    def update(self, program_fd: int) -> None:
        """Replace the program in one step (BPF_LINK_UPDATE); its place among the others stays."""
        libbpf().bpf_link_update(self.fd, program_fd, None)

    def detach(self) -> None:
        """Take the program off the hook now; closing the last descriptor would do it some time later."""
        libbpf().bpf_link_detach(self.fd)


def programs_on(target: int, attach_type: int) -> tuple[int, ...]:
    """The ids of the programs on a hook, in the order they run; `target` is as for `Link.create`.

    Programs of the cgroups above are not among them.     Raises KernelError (for TCX, EINVAL before 6.6).
    """
    ids = (c_uint32 * BPF_MPROG_MAX)()
    query = QueryOptions(sz=sizeof(QueryOptions), prog_ids=cast(ids, POINTER(c_uint32)), count=BPF_MPROG_MAX)
    libbpf().bpf_prog_query_opts(target, attach_type, byref(query))
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
