"""Loading a bundle: one object per attached device and cgroup with hooks, all maps shared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ...common.diagnostics import DiagnosedError, Diagnostic, Exit, Place
from ..kernel.errors import KernelError, LoadRefusedError, NotPermittedError
from ..kernel.hooks.base import Hook, Point
from ..kernel.maps import Map
from ..kernel.objects import BpfObject
from ..kernel.programs import Program
from ..kernel.verifier import function_at, rejection, spec_path
from .bundle import Bundle
from .compose import Instance, route_device_programs
from .desired import Desired
from .layout_ids import HOST_SECTION


@dataclass
class Loaded:
    """Programs by the hook they are for, the maps that they share, and each instance's map of host values."""

    programs: dict[Hook, Program] = field(default_factory=dict)
    maps: dict[str, Map] = field(default_factory=dict)
    hosts: list[Map] = field(default_factory=list)


def load(desired: Desired, instances: Iterable[Instance], reuse: Mapping[str, Map], stack: ExitStack) -> Loaded:
    """Load instances with their host values; maps in `reuse` are taken, others made by the first instance.

    Everything belongs to `stack`. Raises DiagnosedError (K205 to K206, H101) or OSError for want of file descriptors:
    then nothing is left behind.
    """
    loaded = Loaded(maps=dict(reuse))
    for instance in instances:
        _load_one(desired, instance, loaded, stack)
    return loaded


def _load_one(desired: Desired, instance: Instance, loaded: Loaded, stack: ExitStack) -> None:
    bundle = desired.bundle
    try:
        with BpfObject(bundle.object, bundle.manifest.name) as opened:
            opened.set_initial_value(HOST_SECTION, instance.host)
            for name in desired.layouts:
                if name in loaded.maps:
                    opened.reuse_map(name, loaded.maps[name].fd)
            wanted = instance.programs(bundle.manifest)
            every = (*bundle.manifest.programs, *route_device_programs(bundle.manifest))
            for program in {h.program for h in every} - {h.program for h in wanted}:
                opened.leave_out(program)
            opened.load()
            for hooked in wanted:
                hook = Hook(instance.target.number, Point(hooked.hook))
                loaded.programs[hook] = stack.enter_context(opened.program(hooked.program))
            loaded.hosts.append(stack.enter_context(opened.map(HOST_SECTION)))
            for name in desired.layouts:
                if name not in loaded.maps:
                    loaded.maps[name] = stack.enter_context(opened.map(name))
    except LoadRefusedError as error:
        raise DiagnosedError([refused(bundle, error)], Exit.KERNEL) from None
    except NotPermittedError as error:
        fix = "programs load only with capabilities of the first user namespace, and if no lockdown forbids it"
        raise DiagnosedError(
            [Diagnostic("H101", f"the kernel does not permit it: {error}", help=fix)], Exit.MACHINE
        ) from None
    except KernelError as error:
        raise DiagnosedError([Diagnostic("K206", f"loading failed: {error}")], Exit.KERNEL) from None


def refused(bundle: Bundle, error: LoadRefusedError) -> Diagnostic:
    """The verifier's verdict as a diagnostic at the line of the C, naming the part of the spec that the C came from."""
    manifest, c_text = bundle.manifest, bundle.c_text()
    c_file = bundle.directory / f"{manifest.name}.bpf.c"
    found = rejection(error.log, c_text)
    if found is None:
        tail = "; ".join(line.strip() for line in error.log.strip().splitlines()[-3:])
        return Diagnostic("K206", f"loading failed: {error}{f' ({tail})' if tail else ''}")
    place = Place(str(c_file), found.line) if found.line else Place(str(c_file))
    function = function_at(c_text, found.line) if found.line else ""
    inside = f", in {function}" if function not in ("", found.program) else ""
    part = spec_path(c_text, found.line) if found.line else ""
    if part:
        inside += f", made for {part} of {Path(manifest.inputs.spec).name}"
    words = f"the kernel refuses {found.program}{inside}: {found.reason}"
    source = f"at `{found.source}`. " if found.source else ""
    fix = f"{source}What ran before runs on. This is a bug of the compiler: please report it with this message"
    return Diagnostic("K205", words, place, fix)
