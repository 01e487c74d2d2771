"""`docs/presets.md`: every preset with its parameters and the spec that it stands for."""

from __future__ import annotations

from collections.abc import Iterator

from .preset_words import PRESETS, Parameter, Preset
from .presets import preset_path
from .schema_words import flow

INTRODUCTION = """\
# Presets

<!-- Made from schemas/presets/ and frontend/preset_words.py by `encap-compile reference presets`. Do not edit. -->

A preset is a known role of a machine, in place of the spec for it: what differs from one network to the next are its
parameters, and everything else is the same language, in a file of its own that compiles as it is.

```yaml
apiVersion: encap/v1alpha1
name: web-backend
kernel: "5.10"
preset:
  gue-return:
    balancers: [192.0.2.0/28, "2001:db8:1::/64"]
    vips: {file: vips.txt}
```

**A spec has one preset, at its top.** A role is more than headers: gue-return is an encapsulation, whom to trust, what
to learn, which packets reflect it, and that a VIP never answers unencapsulated. Left to single encapsulations, the half
that keeps packets from leaving wrongly would have to be written by hand each time. And it is one, because rules decide
in their order, and which of two presets goes first cannot be known.

**What is written beside it** is added, and keeps its meaning:

| Beside a preset | What it means |
|---|---|
| `host` | Values of your own, or another type or default for the preset's: `host: {uplink: devices}` |
| `attach` | Instead of the preset's, which is `host.uplink` |
| `sets`, `encapsulations`, `endpoints` | More of them. The preset's are used by their names, which are taken (`E312`) |
| `rules` of `egress` and `ingress` | They go **before** the preset's: what one of yours takes, those never see |
| `default`, `next_hop`, `refuse` | Instead of the preset's. As anywhere, `egress` has `default` and `ingress` `rules` |

`encap-compile explain SPEC` shows the whole, written out as one spec. To change what has no parameter, take that and
leave the preset out. What the C, `plan` and `status` say of the preset's rules names the line of the preset.
"""


def preset_reference() -> str:
    """The whole page, Markdown."""
    parts = [INTRODUCTION, *("\n".join(_preset(name, preset)) for name, preset in PRESETS.items())]
    return "\n".join(parts).rstrip("\n") + "\n"


def _preset(name: str, preset: Preset) -> Iterator[str]:
    text = preset_path(name).read_text(encoding="utf-8")
    lines = text.splitlines()
    comment = [line.removeprefix("#").strip() for line in lines if line.startswith("#")]
    spec = "\n".join(line for line in lines if not line.startswith("#"))
    yield f"## {name}\n"
    yield "\n".join(comment) + "\n"
    yield "| Parameter | Default | What it is |\n|---|---|---|"
    for key, parameter in preset.parameters.items():
        yield f"| `{key}` | {_default(parameter)} | {parameter.text}{_example(key, parameter)} |"
    yield f"\n```yaml\n{spec}\n```\n"


def _default(parameter: Parameter) -> str:
    return "required" if parameter.required else f"`{parameter.schema['default']}`"


def _example(key: str, parameter: Parameter) -> str:
    shown = ", ".join(f"`{key}: {flow(example)}`" for example in parameter.schema.get("examples", []))
    return f" For example {shown}." if shown else ""
