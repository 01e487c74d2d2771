"""The command line of the benchmark: a table for people, JSON for comparing runs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.support import netns
from tests.support.netns import CommandError

from . import connections
from .measure import INNER_PACKET, Cost, measure
from .tools import DROP, build_program, build_tool
from .ways import WAYS, Network, close

CONNECTIONS = 1000  # of one measurement
CACHE = Path(__file__).resolve().parents[1] / ".cache" / "bench"


def main() -> int:
    options = _options()
    if os.geteuid() != 0:
        sys.exit("bench: needs root, for network namespaces and BPF programs")
    netns.clean_up_when_told_to_stop()
    netns.sweep()
    console = Console(stderr=True, highlight=False)
    if options.connections:
        return _connections(options.rounds, console)
    wanted = [way for way in WAYS if not options.only or way.name in ("plain", "vxlan-device", *options.only)]
    try:
        with tempfile.TemporaryDirectory(prefix="encap-bench-") as folder, console.status("building") as status:
            sender, dropper = build_tool(CACHE, "sender"), build_program(Path(folder), "drop", DROP)
            networks = [Network(way, dropper, Path(folder)) for way in wanted]
            costs = measure(
                networks,
                sender,
                options.rounds,
                options.packets,
                lambda number: status.update(f"round {number} of {options.rounds}"),
            )
    except KeyboardInterrupt:
        return 130
    except CommandError as error:
        sys.exit(f"bench: {error}")
    finally:
        netns.destroy_all()
        close()
    _show(costs, options.rounds, options.packets)
    if options.json:
        document = {
            "kernel": platform.release(),
            "machine": platform.machine(),
            "inner_packet": INNER_PACKET,
            "rounds": options.rounds,
            "packets": options.packets,
            "ways": [asdict(cost) for cost in costs],
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description="What an encapsulated packet costs.")
    parser.add_argument("--rounds", type=int, default=101, help="rounds, every way once in each [101]")
    parser.add_argument("--packets", type=int, default=10_000, help="packets of one measurement [10000]")
    parser.add_argument(
        "--only",
        action="append",
        metavar="WAY",
        choices=[way.name for way in WAYS],
        help="measure this beside plain and vxlan-device; may be repeated",
    )
    parser.add_argument(
        "--connections", action="store_true", help="short TCP connections to a server that reflects, instead"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results there")
    return parser.parse_args()


def _connections(rounds: int, console: Console) -> int:
    try:
        with console.status("building") as status:
            tool = build_tool(CACHE, "connector")
            rates = connections.measure(
                tool, rounds, CONNECTIONS, lambda number: status.update(f"round {number} of {rounds}")
            )
    except KeyboardInterrupt:
        return 130
    except CommandError as error:
        sys.exit(f"bench: {error}")
    finally:
        netns.destroy_all()
    title = f"connect, 64 bytes there and back, close; kernel {platform.release()}: median of {rounds} x {CONNECTIONS}"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("way")
    table.add_column("us/connection", justify="right")
    table.add_column("rate, vxlan device = 1", justify="right")
    for rate in rates:
        table.add_row(rate.text, f"{rate.nanoseconds / 1000:.1f}", f"{rate.ratio:.2f}")
    Console(highlight=False).print(table)
    return 0


def _show(costs: list[Cost], rounds: int, packets: int) -> None:
    title = f"{INNER_PACKET}-byte UDP packets over veth, kernel {platform.release()}: median of {rounds} x {packets}"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("way")
    table.add_column("ns/packet", justify="right")
    table.add_column("added", justify="right")
    table.add_column("+-", justify="right")
    table.add_column("vxlan device = 1", justify="right")
    for cost in costs:
        first = cost is costs[0]
        table.add_row(
            cost.text,
            f"{cost.total:.0f}",
            "" if first else f"{cost.added:.0f}",
            "" if first else f"{cost.spread:.0f}",
            "" if first else f"{cost.ratio:.2f}",
        )
    Console(highlight=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
