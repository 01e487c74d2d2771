"""`python -m tests.listings [PAGE...]`: run what README and docs show, as root, and write what it prints into them."""

from __future__ import annotations

import argparse
import os
import sys

from .pages import SESSIONS, rewrite
from .shell import BlockError


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./dev listings", description="Run the listings of README and docs, rewrite them."
    )
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"only these of {', '.join(SESSIONS)}")
    pages = parser.parse_args().pages or list(SESSIONS)
    if unknown := [page for page in pages if page not in SESSIONS]:
        parser.error(f"no listings are made for {unknown[0]}: choose from {', '.join(SESSIONS)}")
    failed = 0
    for page in pages:
        try:
            changed = rewrite(SESSIONS[page])
            sys.stdout.write(f"{'wrote' if changed else 'same '} {page}\n")
        except BlockError as error:
            failed = 1
            sys.stderr.write(f"dev: error: {page}: {error}\n")
        if "SUDO_UID" in os.environ:
            os.chown(page, int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"]))
    return failed


if __name__ == "__main__":
    sys.exit(main())
