"""Which story the demo tells, and what all have in common.

Everything happens in network namespaces that are gone afterwards, also after Ctrl-C; the machine's own network, its
bpf filesystem and this checkout are not touched.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from tests.support import cgroups, netns
from tests.support.netns import CommandError

from .screen import Screen

# A word of the command line -> the module whose `tell(screen, folder)` tells the story. Without a word it is the first.
STORIES = {
    "overlay": "an overlay beside hosts with the kernel's own vxlan devices",
    "balancer": "a server behind two load balancers: every answer goes back through the one it came from",
    "appliance": "an appliance behind a gateway load balancer, for two endpoints with the same addresses",
    "sockets": "an application that picks the exit of each connection by name, with setsockopt",
}


def main(words: Sequence[str] = ()) -> int:
    """Run the demo; the exit code. KeyboardInterrupt passes through, with everything cleaned up."""
    screen = Screen()
    name = words[0] if words else next(iter(STORIES))
    if name not in STORIES or len(words) > 1:
        screen.line("Usage: ./dev demo [STORY]")
        for story, what in STORIES.items():
            screen.line(f"  {story:<10} {what}")
        return 2
    if os.geteuid() != 0:
        screen.line("The demo makes network namespaces and loads BPF programs: run it as root.")
        return 6
    netns.sweep()
    cgroups.sweep()
    story = import_module(f"{__package__}.{name}")
    try:
        with tempfile.TemporaryDirectory(prefix="encap-demo-") as folder:
            story.show(screen, Path(folder))
    except (CommandError, TimeoutError) as error:
        screen.check(False, "the demo could not go on", str(error))
    return 0 if screen.verdict() else 1
