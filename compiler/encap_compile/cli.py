"""`encap-compile`, and `python -m encap_compile.cli`: the verbs are in `compile/cli.py`."""

from .compile.cli import cli, main

__all__ = ["cli", "main"]

if __name__ == "__main__":
    main()
