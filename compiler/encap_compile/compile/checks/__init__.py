"""What a spec means: one rule a module, each `check(spec, findings)`, run all together.

A module may rely on what the frontend guarantees (types, required keys), and on nothing that another module checks:
it passes over references that another one reports.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...common.diagnostics import Findings
from ...common.rows import EncodedRows
from ...common.rows.short import ShortFindings
from ..resolved import Resolved, resolve
from ..spec import Spec
from . import (
    attribution,
    boot,
    contract,
    counter_space,
    covering,
    destinations,
    directions,
    families,
    files,
    header_options,
    host_values,
    indistinct,
    ingress_lookup,
    ingress_source,
    inline_rows,
    kernel_version,
    least_values,
    literals,
    marks,
    names,
    outer_fields,
    ports,
    receive,
    references,
    reflection,
    route_device,
    rule_count,
    shadowed,
    stacks,
    table_keys,
    table_sizes,
    targets,
    unused,
)

CHECKS = (
    names.check,
    files.check,
    host_values.check,
    stacks.check,
    header_options.check,
    literals.check,
    destinations.check,
    references.check,
    table_keys.check,
    table_sizes.check,
    inline_rows.check,
    targets.check,
    ports.check,
    families.check,
    outer_fields.check,
    covering.check,
    rule_count.check,
    boot.check,
    route_device.check,
    shadowed.check,
    ingress_source.check,
    ingress_lookup.check,
    receive.check,
    reflection.check,
    marks.check,
    attribution.check,
    contract.check,
    indistinct.check,
)
# What is only worth a warning, and would be noise beside an error that may be its cause.
LAST = (directions.check, kernel_version.check)


def run(spec: Spec) -> Findings:
    """Every check on the spec alone. The caller stops on errors: `run(spec).stop_on_errors()`."""
    findings = ShortFindings()
    findings.extend(spec.warnings)
    for check in CHECKS:
        check(spec, findings)
    if not findings.errors:
        unused.check(resolve(spec), findings)
        for check in LAST:
            check(spec, findings)
    findings.all.sort(key=lambda d: (d.place, d.code))
    return findings


def run_lowered(spec: Spec, counters: int, size: int, findings: Findings) -> None:
    """What lowering has to have decided: how many counters there are, and how many bytes they take."""
    counter_space.check(spec, counters, size, findings)


def run_with_rows(resolved: Resolved, rows: Mapping[str, EncodedRows], findings: Findings) -> None:
    """What needs the rows of files to be checked, by table name: that the rows which rules name are there, and that
    the addresses in them can be reached."""
    targets.check_rows(resolved, rows, findings)
    destinations.check_rows(resolved, rows, findings)
    least_values.check_rows(resolved, rows, findings)
    marks.check_rows(resolved.spec, rows, findings)
