"""encap-compile: a reviewed YAML spec of packet encapsulation becomes specialised eBPF C, and stays loaded.

The same verbs as the command line, as a Python API: `pipeline.compile_spec` and `pipeline.check_spec` for the compiler;
`plan`, `apply`, `status` for the loader.
"""

__version__ = "0.2.0"
