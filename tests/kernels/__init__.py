"""The kernel matrix: stock distribution kernels booted in QEMU, with the kernel's own tunnel devices as the peer.

`python -m tests.kernels` fetches the kernels, boots each of them, runs the scenarios of `tests.kernels.guest` inside
and reports a cell per feature and kernel. `docs/kernels.md` is its output.
"""
