"""The guest's program: `python -m tests.kernels.guest RESULTS JOB`, with the job as the host wrote it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .. import cells
from . import route, scenarios, underlay, vlan
from .namespaces import run
from .ours import EncapctlSide, KernelSide, OurSide
from .results import Results


def main(results_file: str, job_file: str) -> int:
    job = json.loads(Path(job_file).read_text())
    results = Results(Path(results_file))
    encapsulations = {*job["encapsulations"], *(cells.DEVICES[name] for name in job["scenarios"])}
    kinds = [kind for kind in cells.KINDS if kind.encapsulation in encapsulations or job["modules"]]
    modules = {module for kind in kinds for module in kind.module.split()}
    run(["modprobe", "-a", "veth", "8021q", "macvlan", *sorted(modules)])
    underlay.build()
    bundles = Path(job["bundles"])
    if job["examples"]:
        from . import examples

        for name in job["examples"]:
            examples.run(bundles / name, results)
    side: OurSide = KernelSide() if job["baseline"] else EncapctlSide(bundles)
    for encapsulation in job["encapsulations"]:
        scenarios.run(encapsulation, side, results)
    for name in job["scenarios"]:
        {"vlan": vlan, "route": route}[name].run(bundles, results)
    if job["modules"]:
        from . import anywhere

        anywhere.run(job["modules"], bundles, results)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
