"""What must be there before a bundle can be applied at all. Each answers in words what is right, or raises what is not.

They are the functions that `apply` itself calls, in an order in which what stands before explains what stands behind.
"""

from __future__ import annotations

import os
from pathlib import Path

from ...common.diagnostics import DiagnosedError, Findings
from ...common.manifest import Manifest
from ..kernel.bpffs import DEFAULT, require_bpffs
from ..kernel.libbpf import version
from ..kernel.system import NEEDED, in_first_user_namespace, kernel_release, missing_capabilities
from ..loader.desired import require_kernel, require_privilege
from ..loader.paths import BPFFS_VARIABLE


def privileges() -> str:
    """H101."""
    require_privilege()
    return "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"


def kernel(manifest: Manifest | None) -> str:
    """K203."""
    if manifest is None:
        return kernel_release()
    require_kernel(manifest)
    return f"{kernel_release()}, {manifest.kernel} is needed"


def libbpf() -> str:
    """K201, K202."""
    return ".".join(map(str, version()))


def bpffs(where: str) -> str:
    """H102, H130."""
    path = Path(where or os.environ.get(BPFFS_VARIABLE, "") or str(DEFAULT))
    require_bpffs(path)
    return str(path)


def privileged() -> bool:
    """Whether programs and maps can be looked at."""
    return not missing_capabilities(*NEEDED) and in_first_user_namespace()


def raise_errors(findings: Findings) -> None:
    """Raise what was found, if it holds an error."""
    if findings.errors:
        raise DiagnosedError(findings.errors)
