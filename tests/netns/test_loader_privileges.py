"""The capabilities that the documentation names are enough for the whole life of a bundle, and nothing more is used."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.netns.loader_bundle import write
from tests.netns.loader_net import ATTACH, Wire, wire
from tests.netns.loader_sockets import named, sockets
from tests.netns.loader_sockets import write as write_sockets
from tests.support.netns import STATE

pytestmark = pytest.mark.kernel
USER = 64242
CAPABILITIES = "+bpf,+net_admin,+perfmon"


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


def with_only(capabilities: str, user: int = 0) -> tuple[str, ...]:
    who = (f"--reuid={user}", f"--regid={user}", "--clear-groups") if user else ()
    bounding = f"--bounding-set=-all,{capabilities}"
    return ("setpriv", *who, f"--inh-caps=-all,{capabilities}", f"--ambient-caps=-all,{capabilities}", bounding)


def owned_by(net: Wire, user: int) -> None:
    """A bpf filesystem and a folder for the state that are the user's own."""
    state = STATE / net.ours.name / "state"
    state.mkdir(parents=True)
    for folder in (net.ours.bpffs(), state):
        os.chown(folder, user, user)
        folder.chmod(0o700)


@pytest.mark.parametrize("attach", ATTACH)
@pytest.mark.parametrize("user", [0, USER])
def test_a_whole_life(net: Wire, attach: str, user: int) -> None:
    place = STATE / net.ours.name  # pytest's folders are root's alone
    bundles = [write(place / salt, salt=salt) for salt in ("one", "two")]
    bundles.append(write(place / "three", wide=True, counters=("extra", "seen", "web")))
    owned_by(net, user)
    limited = with_only(CAPABILITIES, user)
    for bundle in bundles:
        words = (bundle, "--set", "uplink=eth0", "--attach", attach)
        net.ctl("plan", *words, prefix=limited, check=3)
        net.ctl("apply", *words, prefix=limited, check=0)
        assert net.send() == (20, 0)
        net.ctl("plan", *words, prefix=limited, check=0)
        net.ctl("apply", *words, prefix=limited, check=0)
        status = json.loads(net.ctl("status", bundle, "--format", "json", prefix=limited, check=0).stdout)
        assert status["drift"] == []
        assert all(hook["since"] and hook["identity"] for hook in status["hooks"])
    assert "web 60 packets" in " ".join(net.ctl("stats", "hand", prefix=limited, check=0).stdout.split())
    # Each program and its host values are pinned as long as they run, and no longer.
    pinned = [path for path in net.left() if "/programs/" in path or "/hosts/" in path]
    assert len(pinned) == 3
    net.ctl("status", "hand", check=0)  # root sees the same
    net.ctl("remove", "hand", prefix=limited, check=0)
    assert [path for path in net.left() if path != str(STATE / net.ours.name / "state")] == []


@pytest.mark.parametrize("missing", ["bpf", "net_admin", "perfmon"])
def test_each_one_is_needed_and_named_before_anything_is_done(net: Wire, tmp_path: Path, missing: str) -> None:
    bundle = write(tmp_path / "one")
    rest = ",".join(word for word in CAPABILITIES.split(",") if word != f"+{missing}")
    named = [bundle, "--set", "uplink=eth0"]
    for words in (["plan", *named], ["apply", *named], ["status", "hand"], ["stats", "hand"], ["remove", "hand"]):
        error = net.ctl(*words, prefix=with_only(rest), check=6).stderr
        assert "error[H101]" in error
        assert f"CAP_{missing.upper()} missing" in error
    assert net.left() == []


def test_sweep_must_see_all_processes(net: Wire) -> None:
    error = net.ctl("sweep", prefix=with_only(CAPABILITIES), check=6).stderr
    assert "CAP_SYS_PTRACE missing" in error
    net.ctl("sweep", prefix=with_only(f"{CAPABILITIES},+sys_ptrace"), check=0)


@pytest.mark.parametrize("attach", ATTACH)
def test_what_root_applied_and_what_has_no_pins_of_its_programs(net: Wire, tmp_path: Path, attach: str) -> None:
    """As the first release left it: less can be seen of it, it is replaced in place, and it can be removed."""
    bundle = write(tmp_path / "one")
    limited = with_only(CAPABILITIES)
    for verb in ("apply", "remove"):
        net.apply(bundle, "--attach", attach)
        for path in [Path(p) for p in net.left() if "/programs" in p or "/hosts" in p][::-1]:
            path.rmdir() if path.is_dir() else path.unlink()
        net.ctl("status", "hand", check=0)
        net.ctl("status", "hand", prefix=limited, check=3)
        if verb == "apply":
            net.ctl("apply", bundle, "--set", "uplink=eth0", prefix=limited, check=0)
            net.ctl("status", "hand", prefix=limited, check=0)
            assert net.send() == (20, 0)
    net.ctl("remove", "hand", prefix=limited, check=0)
    assert net.left() == []


@pytest.mark.parametrize("attach", ATTACH)
def test_others_on_the_hook_have_no_name_without_cap_sys_admin(net: Wire, tmp_path: Path, attach: str) -> None:
    bundles = [write(tmp_path / "one"), write(tmp_path / "other", name="other", rows={"10.1.0.2": "192.0.2.2"})]
    for bundle in bundles:
        net.apply(bundle, "--attach", attach)
    status = net.ctl("status", "hand", prefix=with_only(CAPABILITIES), check=0).stdout
    assert ("program " if attach == "tcx" else "encap:other:egress") in status
    for name in ("hand", "other"):
        net.ctl("remove", name, prefix=with_only(CAPABILITIES), check=0)
    assert net.left() == []


def test_a_whole_life_with_cgroups(tmp_path: Path) -> None:
    limited = with_only(CAPABILITIES)
    with sockets() as on:
        on.tree.make("a.slice")
        bundle = write_sockets(tmp_path / "one", named("a.slice"))
        on.net.ctl("apply", bundle, *on.values, prefix=limited, check=0)
        assert on.tree.hooked("a.slice") == ["ask", "choose"]
        on.net.ctl("plan", bundle, *on.values, prefix=limited, check=0)
        on.tree.make("b.slice")
        more = write_sockets(tmp_path / "two", named("a.slice", "b.slice"))
        on.net.ctl("apply", more, *on.values, prefix=limited, check=0)
        on.net.ctl("status", "hand", prefix=limited, check=0)
        on.net.ctl("remove", "hand", prefix=limited, check=0)
        assert on.tree.hooked("a.slice") == on.tree.hooked("b.slice") == []
        assert on.net.left() == []


def test_programs_that_the_compiler_writes(net: Wire, compiled: Callable[..., Path]) -> None:
    """The verifier checks by capabilities: subtracting packet pointers takes CAP_PERFMON."""
    limited, words = (
        with_only(CAPABILITIES),
        (compiled(), "--set", "uplink=eth0", "--set", "vtep_mac=02:00:00:00:00:01"),
    )
    net.ours.ip("addr add 2001:db8::1/64 dev eth0")
    net.ctl("apply", *words, prefix=limited, check=0)
    net.ctl("status", compiled(), prefix=limited, check=0)
    net.ctl("remove", compiled(), prefix=limited, check=0)
    assert net.left() == []
