"""Starts the demo so that it can be interrupted from its first moment on, before the slow imports."""

import signal
import sys

for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.default_int_handler)
try:
    from .demo import main

    code = main(sys.argv[1:])
except KeyboardInterrupt:
    sys.stdout.write("\nInterrupted. Everything was cleaned up.\n")
    code = 130
sys.exit(code)
