"""Running `encap-compile` and `encapctl` as a person does: as commands, by their exit codes and output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from .netns import CommandError, Namespace

ROOT = Path(__file__).resolve().parents[2]
COMPILE = [sys.executable, "-m", "encap_compile.cli"]
CTL = [sys.executable, "-m", "encap_compile.ctl"]


def compile_spec(spec: Path, out: Path) -> tuple[Path, str]:
    """Compile a spec into `out`; return the bundle's folder and what encap-compile said."""
    done = subprocess.run(
        [*COMPILE, str(spec), "-o", str(out)], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise CommandError(f"encap-compile {spec} returned {done.returncode}\n{done.stdout}{done.stderr}")
    (manifest,) = out.glob("*/manifest.json")
    return manifest.parent, done.stdout


def encapctl(
    namespace: Namespace, *words: str | os.PathLike[str], check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run encapctl in a namespace; raise `CommandError` if it fails and `check` is set."""
    return namespace.run([*CTL, *words], check=check)


def apply(namespace: Namespace, bundle: Path, *options: str, **host_values: str) -> str:
    """Apply a bundle with its host values: `apply(ours, bundle, uplink="eth0")`."""
    settings = [word for name, value in host_values.items() for word in ("--set", f"{name}={value}")]
    return encapctl(namespace, "apply", bundle, *settings, *options).stdout


def remove(namespace: Namespace, bundle: Path) -> str:
    return encapctl(namespace, "remove", bundle.name).stdout


def stats(namespace: Namespace, bundle: Path) -> list[dict[str, Any]]:
    """Every counter that `encapctl stats --format json` reports, as it reports it."""
    document = json.loads(encapctl(namespace, "stats", bundle.name, "--format", "json").stdout)
    counters: list[dict[str, Any]] = document["counters"]
    return counters
