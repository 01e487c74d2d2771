"""What the tests here load: compiled where they run, or given to a guest, which has no compiler."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support import cli
from tests.support.many_counters import many

GIVEN = "ENCAP_TEST_BUNDLES"  # the folder of bundles that are compiled already
_OWN = Path(__file__).with_name("specs")
# By how the balancers encapsulate: what the server behind them runs.
RETURN = {
    "vxlan": cli.ROOT / "examples" / "vxlan-return.yaml",
    "geneve": _OWN / "geneve-return.yaml",
    "gre": _OWN / "gre-return.yaml",
    "gue": _OWN / "gue-return.yaml",
}
# What the host runs whose sockets choose.
_CHOOSING = ("two-exits", "two-exits-newer", "only-chosen", "containers", "unattached")
EXITS = {name: _OWN / f"{name}.yaml" for name in _CHOOSING}
NEXT = _OWN / "next" / "only-chosen.yaml"  # other versions of them
AFTER = _OWN / "after" / "only-chosen.yaml"
TOO_BIG = _OWN / "too-big.yaml"  # an overlay whose TCP learns of the headers by ICMP alone
MERGED = _OWN / "merged.yaml"  # behind the kernel's GRO
THROUGH_DEVICE = _OWN / "through-device.yaml"  # an overlay by a route device
SEGMENTATION = _OWN / "segmentation.yaml"  # every encapsulation of which the kernel cuts GSO packets
THREE_RETURNS = _OWN / "three-returns.yaml"  # the longest chain of calls
PASSING = _OWN / "passing" / "unattached.yaml"
VERSIONS = (NEXT, AFTER, PASSING)
EXAMPLES = tuple(sorted((cli.ROOT / "examples").glob("*.yaml")))
RELEASES = cli.ROOT / "tests/fixtures/releases/skew.yaml"  # what earlier releases have applied
SPECS = (
    *EXAMPLES,
    *RETURN.values(),
    *EXITS.values(),
    TOO_BIG,
    THROUGH_DEVICE,
    MERGED,
    SEGMENTATION,
    THREE_RETURNS,
    RELEASES,
)


def bundle(spec: Path, folder: Path) -> Path:
    """The bundle of a spec, compiled into `folder` if it has to be."""
    if given := os.environ.get(GIVEN):
        return place(Path(given), spec) / spec.stem
    return cli.compile_spec(spec, place(folder, spec) / f"{spec.stem}.build")[0]


def place(folder: Path, spec: Path) -> Path:
    """Where in a folder of bundles the bundle of a spec is: versions have one name."""
    return folder / spec.parent.name if spec in VERSIONS else folder


def encapsulations() -> tuple[str, ...]:
    """For which this kernel has a device. Guests have a module for each; elsewhere only vxlan is sure to be there."""
    return tuple(RETURN) if GIVEN in os.environ else ("vxlan",)


def write_many(folder: Path) -> Path:
    """A spec with more counters than one value of their map holds, which is too long for a file of the repository."""
    path = folder / "many.yaml"
    path.write_text(many())
    return path


def many_bundle(folder: Path) -> Path:
    """Its bundle, compiled into `folder` if it has to be."""
    return bundle(folder / "many.yaml" if GIVEN in os.environ else write_many(folder), folder)
