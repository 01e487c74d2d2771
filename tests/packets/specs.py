"""Specs made for a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from encap_compile.compile.pipeline import compile_spec


class Compile(Protocol):
    def __call__(self, text: str, **files: str) -> Path:
        """The bundle of a spec; `files` are data files beside it, by name without `.csv`."""


HEAD = """\
apiVersion: encap/v1alpha1
name: made
kernel: "5.10"
host: {uplink: device, address: {type: ip, default: uplink.address}}
attach: {devices: [host.uplink]}
"""


def compile_bundle(folder: Path, text: str, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content)
    (folder / "made.yaml").write_text(text)
    made = compile_spec(str(folder / "made.yaml"), folder / "build")
    return folder / "build" / made.manifest.name
