"""`encap-compile`, and `python -m encap_compile.cli`: the verbs are in `compile/cli.py`, but for `test`.

That one may also ask the kernel, of which nothing that compiles knows.
"""

from .compile.cli import cli, main
from .kernel_tests.command import test

cli.add_command(test)

__all__ = ["cli", "main"]

if __name__ == "__main__":
    main()
