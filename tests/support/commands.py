"""Commands that diagnostics print, run as a person would type them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from . import ethtool
from .netns import Namespace


def printed(help_: str) -> list[str]:
    """The commands in a help, in their order."""
    return re.findall(r"`((?:ip|sysctl|ethtool|tc) [^`]+)`", help_)


def run_printed(namespace: Namespace, help_: str) -> str:
    """Run the first command of a help in a namespace; return it. `ethtool` itself need not be installed."""
    command = printed(help_)[0]
    words = command.split()
    if words[0] != "ethtool":
        namespace.run(words)
        return command
    assert words[1] == "-K"
    wanted = _features(words[3:])
    ethtool.set_features(namespace, words[2], ethtool.feature_names(namespace, words[2]), wanted)
    return command


def _features(words: Sequence[str]) -> Mapping[str, bool]:
    """`gro on` is short for `rx-gro`, as ethtool(8) has it."""
    short = {"gro": "rx-gro", "gso": "tx-generic-segmentation", "tx": "tx-checksum-ip-generic"}
    return {short.get(name, name): state == "on" for name, state in zip(words[::2], words[1::2], strict=True)}
