"""Tests that must pass on every kernel: on this machine's with all others, and in each guest of the kernel matrix.

A module here is a scenario of the matrix (`./dev matrix --scenario reflection`) and a section of docs/kernels.md, with
words in tests/kernels/report.py; a test is a row by the first line of its docstring, and its parameters are the checks
of that row. A guest is slow and has no compiler: bundles come from `bundles.py`, traffic is made by sockets, and what
takes seconds to set up is a fixture of the module. There, cgroup2 is at /sys/fs/cgroup, without controllers. A kernel
that cannot pass a test is a named limit in tests/kernels/limits.py.
"""
