"""The machine's side: libbpf by ctypes, rtnetlink, pins, hooks. Nothing above this package knows a syscall.

Importing the package costs nothing: libbpf is opened and pyroute2 imported when they are first needed.
"""
