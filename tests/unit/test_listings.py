"""How listings are compared and rewritten: what a reader would see differently counts, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.listings import page, shell
from tests.listings.varying import merged, same

OLD = (
    "first on host-1, kernel 6.18.44: b9bec79a in force since 2026-11-23 00:00",
    "  hook   up0 tcx egress: [first_egress]   b9bec79a, program 7460",
    "rtt min/avg/max/mdev = 0.072/0.100/0.142/0.030 ms",
    "3 packets transmitted, 3 received, 0% packet loss, time 2157ms",
    "  + map counters",
)
LATER = (
    "first on web-17, kernel 6.1.0-40-amd64: b9bec79a in force since 2027-01-01 12:59",
    "  hook   up0 tcx egress: [first_egress]   b9bec79a, program 12",
    "rtt min/avg/max/mdev = 1.072/1.100/1.142/1.030 ms",
    "3 packets transmitted, 3 received, 0% packet loss, time 2001ms",
    "  + map counters",
)


def test_what_varies_stays() -> None:
    assert same(OLD, LATER)
    assert merged(OLD, LATER) == OLD


def test_a_new_hash_is_written_but_makes_nothing_stale() -> None:
    new = tuple(line.replace("b9bec79a", "01234567") for line in LATER)
    assert same(OLD, new)
    assert merged(OLD, new)[0].count("01234567") == 1
    assert merged(OLD, new)[2:] == OLD[2:]


@pytest.mark.parametrize(
    ("before", "after"),
    [("  + map counters", "  + map scratch"), ("3 received", "2 received"), ("0% packet", "33% packet")],
)
def test_what_a_reader_sees_differently_is_stale(before: str, after: str) -> None:
    new = tuple(line.replace(before, after) for line in LATER)
    assert not same(OLD, new)
    made = merged(OLD, new)
    assert any(after in line for line in made)
    assert merged(made, new) == made
    assert not same(OLD, (*LATER, "another line"))


TEXT = """\
```console
# encapctl stats first | head -n 2
# HELP encap_packets_total Packets.
encap_packets_total 30
# true
```

<!-- run
touch a
-->

```sh
ls a
```
"""


def test_blocks() -> None:
    console, hidden, typed = page.blocks(TEXT)
    assert [c.typed for c in console.commands] == ["encapctl stats first | head -n 2", "true"]
    assert console.commands[0].output == ("# HELP encap_packets_total Packets.", "encap_packets_total 30")
    assert (hidden.kind, hidden.body, typed.kind, typed.body) == ("hidden", "touch a\n", "sh", "ls a\n")
    assert TEXT[hidden.start : hidden.end] == hidden.body


@pytest.mark.kernel
def test_a_failing_command_becomes_no_listing(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (good,) = page.blocks("```console\n$ echo a; echo b >&2\na\n```\n")
    assert shell.run([good], tmp_path / "good", {}) == [[("a", "b")]]
    for number, text in enumerate(("```console\n$ encap-compile none.yaml\n```\n", "```sh\nls none\n```\n")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (bad,) = page.blocks(text)
        with pytest.raises(shell.BlockError, match=r"none"):
            shell.run([bad, good], folder, {})


def test_columns_of_a_counter_that_varies_stay() -> None:
    old = ("  egress_other                   2 packets               56 bytes   not IPv4",)
    assert same(old, ("  egress_other                  13 packets              364 bytes   not IPv4",))
    assert not same(old, ("  egress_other              2 packets               56 bytes   not IPv4",))
