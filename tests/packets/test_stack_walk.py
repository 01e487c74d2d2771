"""Every stack that the grammar accepts carries packets, or an error says why it cannot.

A sample by default; `ENCAP_WALK=all` walks every stack of up to eight headers, over every outer family and kernel.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from encap_compile.common.diagnostics import DiagnosedError, Severity
from encap_compile.compile.headers.catalogue import headers
from encap_compile.compile.pipeline import check_spec

from .datapath import Datapath
from .inner import frame
from .specs import Compile
from .stacks import Stack, accepted

ALL = os.environ.get("ENCAP_WALK") == "all"
KERNELS = ("5.10", "5.13", "6.3")


def walk() -> Iterator[Stack]:
    """Each list of headers over both families at once; with ALL also over each alone, for each kernel's flags."""
    for i, names in enumerate(sorted(set(accepted(8 if ALL else 5)))):
        if ALL:
            yield from (Stack(outer, names, kernel) for outer, kernel in product(("ip", "ipv4", "ipv6"), KERNELS))
        else:
            yield Stack("ip", names, KERNELS[i % len(KERNELS)])
    if not ALL:
        nested = ("udp", "gue", "udp", "vxlan", "ethernet")
        yield from (Stack(outer, nested) for outer in ("ipv4", "ipv6"))


@pytest.fixture(params=list(walk()), ids=str)
def stack(request: pytest.FixtureRequest) -> Stack:
    return request.param  # type: ignore[no-any-return]


def test_a_stack_carries_packets(stack: Stack, compiled: Compile) -> None:
    with Datapath(compiled(stack.spec())) as loaded:
        for outer, inner in product(stack.families, (4, 6)):
            for shape in ("tcp", "udp-odd"):
                given = stack.inner(inner, outer, shape)
                out = loaded.egress(frame(given))
                assert out.verdict == "pass", out.counted
                assert set(out.counted) == {"egress_rule_all"}
                sent = out.frame[14:]
                at = 20 if outer == 4 else 40
                port = int.from_bytes(sent[at : at + 2], "big") if "udp" in stack.names else 0
                assert sent.hex() == stack.by_scapy(given, outer, port).hex()
                assert sent.hex() == stack.by_catalogue(given, outer, port).hex()
                assert out.frame[12:14] == (b"\x08\x00" if outer == 4 else b"\x86\xdd")

                back = stack.inner(inner, outer, shape, back=True)
                type_ = 0x0800 if outer == 4 else 0x86DD
                arrived = stack.by_scapy(back, outer, 50000, back=True)
                assert arrived == stack.by_catalogue(back, outer, 50000, back=True)
                came = loaded.ingress(frame(arrived, type_))
                assert came.frame[14:].hex() == back.hex()
                assert set(came.counted) == {"ingress_rule_back"}
                _is_refused(loaded, stack, arrived, back, type_)


def _is_refused(loaded: Datapath, stack: Stack, arrived: bytes, back: bytes, type_: int) -> None:
    """Cut short it is refused; with a wrong byte in a header it is refused, not ours, or carries the same packet."""
    cut = loaded.ingress(frame(arrived[:-1], type_))
    assert cut.verdict == "drop"
    assert all(name.startswith("refused_tun__") for name in cut.counted)
    refused = 0
    for at in range(len(arrived) - len(back)):
        given = frame(arrived[:at] + bytes([arrived[at] ^ 0xFF]) + arrived[at + 1 :], type_)
        came = loaded.ingress(given)
        if came.verdict == "drop":
            assert came.frame == given
            assert all(name.startswith("refused_tun__") for name in came.counted)
            refused += 1
        elif came.counted:
            assert came.frame[14:] == back
        else:
            assert came.frame == given
    assert refused >= len(stack.names) + 2


def test_gso_packets(stack: Stack, compiled: Compile) -> None:
    """Those of a stack that the kernel cannot segment are dropped by name. See tests/netns for those that it can."""
    with Datapath(compiled(stack.spec())) as loaded:
        assert ("egress_gso" in loaded.names) != stack.segmentable
        for outer, inner in product(stack.families, (4, 6) if not stack.segmentable else ()):
            given = frame(stack.inner(inner, outer, "tcp-odd"))
            out = loaded.egress(given, gso_size=50)
            assert (out.verdict, set(out.counted), out.frame) == ("drop", {"egress_gso"}, given)


def test_other_sequences_are_refused_with_words(tmp_path: Path) -> None:
    """All sequences of up to four headers: what the walk above does not have is an error, never anything else."""
    known = {tuple(n.partition("+")[0] for n in names) for names in accepted(4)}
    plain = sorted(headers())
    path = tmp_path / "made.yaml"
    judged = 0
    for size in range(4 if ALL else 3):
        for names in product(plain, repeat=size):
            path.write_text(Stack("ip", names).spec())
            try:
                errors = [d.code for d in check_spec(str(path))[3].all if d.severity is Severity.ERROR]
            except DiagnosedError as error:
                errors = [d.code for d in error.diagnostics]
            assert bool(errors) == (names not in known), (names, errors)
            judged += 1
    assert judged > 70


def test_without_the_word_a_second_length_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "made.yaml"
    nested = Stack("ip", ("udp", "gue", "udp", "vxlan", "ethernet"))
    path.write_text(nested.spec().replace(", segmentation: off", ""))
    with pytest.raises(DiagnosedError) as raised:
        check_spec(str(path))
    assert [d.code for d in raised.value.diagnostics] == ["E560"]
