"""How much of the BPF stack an object takes: the compiler refuses what the verifier would."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support import cli

from encap_compile.common.diagnostics import DiagnosedError, Exit
from encap_compile.compile.stack_depth import Chain, check_stack_depth, deepest_chain
from encap_compile.compile.toolchain.build import building
from encap_compile.compile.toolchain.clang import find_clang

DEEPEST = cli.ROOT / "tests/anywhere/specs/three-returns.yaml"
SPARED = 96  # for what a later clang or another word of the language adds
CODE = """
typedef unsigned int u32;
#define NOINLINE __attribute__((noinline))

/* What `used` points to must be on the stack: the assembly may read and write it. */
#define KEEP(used) asm volatile("" : : "r"(&(used)) : "memory")

NOINLINE int last(u32 one)
{
	char kept[64];

	KEEP(kept);
	return kept[one & 63];
}

NOINLINE int beside(u32 one)
{
	char kept[8];

	KEEP(kept);
	return kept[one & 7];
}

NOINLINE static int between(u32 one)
{
	char kept[%d];

	KEEP(kept);
	return last(one) + kept[one & 7];
}

__attribute__((section("tc"))) int program(u32 *skb)
{
	char kept[200];

	KEEP(kept);
	return beside(*skb) + between(*skb) + kept[*skb & 7];
}
"""


def built(between: int) -> bytes:
    with building(find_clang(), "deep", {"deep.bpf.c": (CODE % between).encode()}) as made:
        return made.built()


def test_frames_along_the_deepest_chain() -> None:
    """Each frame is rounded up to 32 bytes, and what is called beside the chain does not count."""
    assert deepest_chain(built(136)) == Chain(("program", "between", "last"), 224 + 160 + 64)


def test_as_much_as_the_kernel_allows() -> None:
    check_stack_depth(built(224))  # 224 + 224 + 64


def test_more_than_the_kernel_allows() -> None:
    with pytest.raises(DiagnosedError) as caught:
        check_stack_depth(built(232))
    (said,) = caught.value.diagnostics
    assert said.code == "T111" and caught.value.exit_code is Exit.TOOLCHAIN
    assert said.message == (
        "the program takes 544 bytes of stack, and the kernel allows 512: "
        "program, which calls between, which calls last"
    )


def test_what_learns_the_most_has_stack_to_spare(tmp_path: Path) -> None:
    folder, _ = cli.compile_spec(DEEPEST, tmp_path / "build")
    chain = deepest_chain((folder / f"{folder.name}.bpf.o").read_bytes())
    assert 0 < chain.size <= 512 - SPARED, chain
