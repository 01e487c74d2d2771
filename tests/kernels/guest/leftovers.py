"""What a removed bundle may have left in the kernel."""

from __future__ import annotations

from pathlib import Path

from .namespaces import inside, run

BPF_FILESYSTEM = Path("/sys/fs/bpf")


def leftovers(namespace: str, device: str) -> list[str]:
    """Pins, filters and qdiscs that are still there, in words."""
    # The kernel's own iterators are there from the start on newer kernels.
    found = [f"pinned {p}" for p in sorted(BPF_FILESYSTEM.rglob("*")) if not p.name.endswith(".debug")]
    with inside(namespace):
        for direction in ("ingress", "egress"):
            found += [f"filter {direction}: {line}" for line in _lines("tc", "filter", "show", "dev", device, direction)]
        found += [line for line in _lines("tc", "qdisc", "show", "dev", device) if "clsact" in line]
        found += [line for line in _lines("ip", "-details", "link", "show", "dev", device) if "prog/" in line]
    return found


def _lines(*command: str) -> list[str]:
    return [line.strip() for line in run(command).splitlines() if line.strip()]


def programs() -> int:
    """How many TC programs the kernel holds, however they are attached; -1 where it cannot say."""
    from encap_compile.kernel import libbpf  # type: ignore[attr-defined,unused-ignore]

    count = getattr(libbpf, "count_programs", None)
    return int(count()) if count else -1
