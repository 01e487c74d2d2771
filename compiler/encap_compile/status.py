"""What is in force on this machine, asked from the kernel, and where it differs from what was applied."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .diagnostics import DiagnosedError, Diagnostic, Exit, Findings
from .kernel.devices import Device, devices
from .kernel.hooks.base import Direction, OnHook
from .kernel.machine import seconds_since_boot
from .loader import counters
from .loader.compose import compose, decode, identity_of
from .loader.desired import given_values, require_privilege
from .loader.observe import Hook, Observed, Running, observe
from .loader.paths import Paths
from .loader.state import State, Totals
from .machine import resolve
from .manifest import Counter, Manifest


@dataclass(frozen=True)
class HookStatus:
    """A hook that has, or should have, a program of ours. `since` is in seconds since the epoch, 0 if none runs."""

    device: str
    direction: Direction
    running: Running | None
    identity: str
    since: float
    programs: tuple[OnHook, ...]


@dataclass(frozen=True)
class Status:
    """`drift` says, a sentence each, what is not as applied; empty when all is well."""

    name: str
    manifest: Manifest | None
    state: State | None
    hooks: tuple[HookStatus, ...]
    host: dict[str, str]  # in force, by source and family
    drift: tuple[str, ...]
    totals: Totals

    @property
    def counters(self) -> list[tuple[Counter, int, int]]:
        """Every counter with its packets and bytes."""
        known = self.manifest.counters if self.manifest else ()
        return [(c, *self.totals.get(c.name, (0, 0))) for c in known]


def status(name: str, bundle: Manifest | None = None, bpffs: str = "") -> Status:
    """Look; change nothing. `bundle` is compared with what runs. Raises DiagnosedError (H101, H110)."""
    require_privilege()
    paths = Paths.of(name, bpffs)
    observed = observe(paths)
    if observed.empty:
        words = f"{name} is not applied on this machine, in this network namespace"
        raise DiagnosedError([Diagnostic("H110", words, help=f"encapctl apply build/{name}")], Exit.DRIFT)
    state = observed.state
    manifest = state.manifest if state else None
    here = devices()
    expected = _expected(state, manifest)
    observed = observe(paths, [h for h in expected if h[0] in {d.index for d in here.values()}])
    names = {d.index: d.name for d in here.values()}
    if state:
        names = {index: device for device, index in state.devices.items()} | names
    reader = manifest or bundle
    hooks = tuple(_hook(observed, hook, names, reader) for hook in sorted({*observed.hooks, *expected}))
    drift = [*_drift_hooks(hooks, expected, names, manifest), *_drift_bundle(hooks, manifest, bundle)]
    if manifest and state:
        drift += _drift_host(manifest, state, observed, here)
    if manifest is None:
        drift.append("the last apply did not finish: apply again")
    host = decode(reader.host_members, hooks[0].running.host) if reader and hooks and hooks[0].running else {}
    return Status(name, manifest, state, hooks, host, tuple(drift), counters.totals(observed))


def _expected(state: State | None, manifest: Manifest | None) -> list[Hook]:
    if state is None or manifest is None:
        return []
    return [(index, Direction(p.hook)) for index in state.devices.values() for p in manifest.programs]


def _hook(observed: Observed, hook: Hook, names: dict[int, str], reader: Manifest | None) -> HookStatus:
    running = next((r for r in observed.running if (r.ifindex, r.direction) == hook), None)
    identity = identity_of(reader, running.host) if reader and running else ""
    since = time.time() - seconds_since_boot() + running.load_time / 1e9 if running else 0.0
    name = names.get(hook[0], f"device {hook[0]}")
    return HookStatus(name, hook[1], running, identity, since, tuple(observed.hooks.get(hook, ())))


def _drift_hooks(
    hooks: tuple[HookStatus, ...], expected: list[Hook], names: dict[int, str], manifest: Manifest | None
) -> list[str]:
    found = []
    wanted = {(names.get(index, f"device {index}"), direction) for index, direction in expected}
    for hook in hooks:
        where = f"{hook.device} {hook.direction.word}"
        if hook.running is None and (hook.device, hook.direction) in wanted:
            found.append(f"{where}: our program is not there any more")
        elif hook.running is not None and manifest and hook.identity != manifest.identity:
            found.append(f"{where}: other code runs than was applied (an apply was interrupted, or is going on)")
    return found


def _drift_bundle(hooks: tuple[HookStatus, ...], manifest: Manifest | None, bundle: Manifest | None) -> list[str]:
    if bundle is None or manifest is None or bundle.identity == manifest.identity:
        return []
    return [f"another bundle is applied: {manifest.identity[:8]}, not {bundle.identity[:8]}"]


def _drift_host(manifest: Manifest, state: State, observed: Observed, here: dict[str, Device]) -> list[str]:
    """Resolve the host values again, as the last apply did, and compare them with those in force."""
    findings = Findings()
    try:
        settings = [f"{name}={value}" for name, value in state.settings.items()]
        _, given = given_values(state.host_file, settings)
    except DiagnosedError as error:
        return [f"host values: {d.message}" for d in error.diagnostics]
    machine = resolve(manifest, given, here, findings)
    if findings.errors:
        return [d.message for d in findings.errors]
    found: dict[str, None] = {}
    for device in machine.attached:
        now = decode(manifest.host_members, compose(manifest, machine, device).host)
        for running in observed.running:
            if running.ifindex != device.index or len(running.host) != manifest.host_layout.size:
                continue
            before = decode(manifest.host_members, running.host)
            for name in now:
                if before[name] != now[name]:
                    found[f"{name}: {before[name]} in force, {now[name]} on the machine ({device.name})"] = None
    gone = set(state.devices) - {d.name for d in machine.attached}
    return [*found, *(f"{name} is attached, but the host values no longer say so" for name in sorted(gone))]
