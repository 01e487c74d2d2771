"""encap-compile: a reviewed YAML spec of packet encapsulation becomes specialised eBPF C, and stays loaded.

The same verbs as the command line, as a Python API: `encap_compile.api`.
"""

__version__ = "0.2.0"
