"""What applications are given to choose with: the header and the Python module of a made-up spec."""

from __future__ import annotations

import ast
import asyncio
import errno
import importlib.util
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.pinned_compiler import CC, CXX

from encap_compile.compile import ir
from encap_compile.compile.lower.attribution import socket_level
from encap_compile.compile.lower.contract import lower_contract, row_constants
from encap_compile.compile.pipeline import check_spec
from encap_compile.compile.render.templates import TEMPLATES, render_contract
from encap_compile.compile.toolchain.clang_format import format_c

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "cases" / "contract"
PAGE = ROOT / "docs" / "sockets.md"
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wshadow", "-Wconversion")
MPTCP = 262  # IPPROTO_MPTCP, which Python knows from 3.10 on where it was built with it


def contract(name: str = "exits", reasons: bool = True, rows: tuple[str, ...] = ("fra", "ams-2")) -> ir.SocketContract:
    texts = [*(f"exits/{row}" for row in rows), "sites/hq"]
    constants = row_constants(texts)
    made = [ir.ContractRow(t, constants[t], "gre", f"endpoints.{t.replace('/', '.rows.')}") for t in texts]
    return ir.SocketContract(
        name=name,
        c_name=name.replace("-", "_"),
        titles=("gre over ipv4 or ipv6", "ipip over ipv4 or ipv6"),
        spec_file=f"{name}.yaml",
        compiler="0.1.0",
        level=socket_level(name),
        reasons=reasons,
        rules=(
            ir.ContractRule(
                "chosen-a",
                "cgroup team-a.slice -> what the socket chose of exits,sites/hq, no row: next",
                "egress.rules.chosen-a",
            ),
            ir.ContractRule(
                "chosen-b",
                "cgroup team-b.slice -> what the socket chose of exits/fra, no row: drop",
                "egress.rules.chosen-b",
            ),
        ),
        tables=(
            ir.ContractTable("exits", "endpoints.exits", "any row may be chosen", "exits.csv", tuple(made[:-1])),
            ir.ContractTable("sites", "endpoints.sites", "these rows may be chosen", "", tuple(made[-1:])),
        ),
        connects=(
            ir.ContractConnect(
                "mail", "CONNECT_RULE_MAIL", 0xEC90E52E, "tcp to port 25 -> choose exits/fra", "connect.rules.mail"
            ),
        ),
    )


def written(folder: Path, made: ir.SocketContract) -> Path:
    """The files of a contract, as they go into a bundle."""
    for name, text in render_contract(made).items():
        (folder / name).write_text(format_c(text, TEMPLATES / "clang-format.yaml") if name.endswith(".h") else text)
    return folder


def module(folder: Path, name: str = "exits") -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


# ---- the files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "reasons"), [("exits", True), ("old-exits", False)])
def test_golden(tmp_path: Path, name: str, reasons: bool) -> None:
    written(tmp_path, contract(name, reasons))
    for path in sorted(tmp_path.iterdir()):
        golden = CASES / path.name
        if os.environ.get("ENCAP_UPDATE"):
            golden.write_text(path.read_text())
        assert path.read_text() == golden.read_text(), f"ENCAP_UPDATE=1 writes {golden}; look at the difference"
    assert {p.name for p in tmp_path.iterdir()} == {f"{name}.h", f"{name.replace('-', '_')}.py"}


@pytest.mark.parametrize("path", sorted(CASES.glob("*.*")), ids=lambda p: p.name)
def test_it_reads_well(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines[0][2:].strip(" ") == "SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause"
    assert f"{path.stem.replace('_', '-')}.yaml. Do not edit" in "\n".join(lines[:8])
    assert not any(line != line.rstrip() for line in lines)
    assert "\n\n\n\n" not in path.read_text()
    assert max(len(line.expandtabs(8)) for line in lines) <= 120


def test_levels_are_those_of_fnv_1a() -> None:
    # The hashes of "a" and "foobar" are those of the authors' test vectors (draft-eastlake-fnv, section 6).
    assert socket_level("a") == 0x40000000 | (0xE40C292C & 0x3FFFFFFF)
    assert socket_level("foobar") == 0x40000000 | (0xBF9CF968 & 0x3FFFFFFF)
    assert all(0x40000000 <= socket_level(name) <= 0x7FFFFFFF for name in ("exits", "overlay", "x" * 63))


def test_rows_that_would_be_called_alike_are_told_apart() -> None:
    found = row_constants(["exits/a-b", "exits/a.b", "exits/c", "exits/2026-08-30", "exits/münchen", "exits/东京"])
    assert len(set(found.values())) == 6 and all(re.fullmatch(r"EXITS_[A-Z0-9_]+", name) for name in found.values())
    assert (found["exits/c"], found["exits/2026-08-30"]) == ("EXITS_C", "EXITS_2026_08_30")
    assert row_constants(["exits/a-b", "exits/a.b"])["exits/a-b"] == found["exits/a-b"], "others change nothing"


ODD = ("a b", 'quo"te', "back\\slash", "tri??/graph", "*", "münchen", "东京", "'''", "%s")


def test_any_name_of_a_row_arrives(tmp_path: Path) -> None:
    made = contract(rows=ODD)
    written(tmp_path, made)
    python = module(tmp_path)
    rows = [row for table in made.tables for row in table.rows]
    assert [getattr(python, row.constant) for row in rows] == [row.text for row in rows]
    source = "".join(f"puts(EXITS_{row.constant});" for row in rows)
    program = compiled(tmp_path, f'#include "exits.h"\n#include <stdio.h>\nint main(void) {{ {source} return 0; }}\n')
    shown = subprocess.run([program], capture_output=True, check=True).stdout.decode()
    assert shown.splitlines() == [row.text for row in rows]


# ---- the header ------------------------------------------------------------------------------------------------------

COMPILERS = {  # name: command for C, for C++
    "pinned": (CC, CXX),
    "gcc": (("gcc",), ("g++",)),
    "clang": (("clang",), ("clang++",)),
}


@cache
def _has_headers(command: str) -> bool:
    """A compiler alone is not enough: gcc may be there without libc6-dev."""
    words = [command, "-E", "-xc", "-include", "stdio.h", "/dev/null", "-o", "/dev/null"]
    return shutil.which(command) is not None and subprocess.run(words, capture_output=True).returncode == 0


def compiled(folder: Path, source: str, *, name: str = "pinned", cpp: bool = False) -> Path:
    path = folder / ("program.cc" if cpp else "program.c")
    path.write_text(source)
    command = COMPILERS[name][cpp]
    flags = [*WARNINGS, "-std=c++11" if cpp else "-std=c99", "-g0", "-O1", "-I", str(folder)]
    program = folder / f"program-{name}-{'cpp' if cpp else 'c'}"
    done = subprocess.run([*command, *flags, str(path), "-o", str(program)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return program


@pytest.mark.parametrize("cpp", [False, True], ids=["c", "c++"])
@pytest.mark.parametrize("name", COMPILERS)
def test_the_header_compiles(tmp_path: Path, name: str, cpp: bool) -> None:
    """Twice, before and after others, and with that of another spec."""
    if name != "pinned" and not _has_headers(*COMPILERS[name][cpp]):
        pytest.skip(f"{name} is not installed, or without the C library's headers")
    written(tmp_path, contract())
    written(tmp_path, contract("old-exits", reasons=False))
    includes = '#include "exits.h"\n#include "old-exits.h"\n#include "exits.h"\n#include <stdio.h>\n'
    program = compiled(tmp_path, f"{includes}int main(void) {{ return exits_clear(-1) == 0; }}\n", name=name, cpp=cpp)
    assert subprocess.run([program]).returncode == 0


LAYOUT = """
#include "exits.h"
#include <stdio.h>
#define SHOW(member) printf("%s %zu %zu\\n", #member, offsetof(struct exits_socket_status, member), sizeof(s.member))
int main(void)
{
	struct exits_socket_status s;
	SHOW(size); SHOW(state); SHOW(overhead); SHOW(mss); SHOW(packets); SHOW(bytes); SHOW(name);
	SHOW(chosen_by); SHOW(rule);
	printf("%d\\n", (int)EXITS_STATUS_FIRST);
	printf("%zu\\n", sizeof(s));
	return 0;
}
"""


def test_one_layout_in_c_in_python_and_in_the_docs(tmp_path: Path) -> None:
    written(tmp_path, contract())
    done = subprocess.run([compiled(tmp_path, LAYOUT)], capture_output=True, check=True, text=True)
    *shown, first, size = done.stdout.splitlines()
    in_c = [(name, int(offset), int(length)) for name, offset, length in (line.split() for line in shown)]
    form = module(tmp_path)._STATUS
    in_python, offset = [], 0
    for (name, _, _), part in zip(in_c, re.findall(r"\d*[a-zA-Z]", form), strict=True):
        in_python.append((name, offset, struct.calcsize(f"={part}")))
        offset += struct.calcsize(f"={part}")
    rows = re.findall(r"^\| (\d+) \| (\d+) \| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    in_docs = [(name, int(at), int(length)) for at, length, name in rows]
    assert in_c == in_python == in_docs
    assert int(size) == struct.calcsize(form) == 144
    assert int(first) == struct.calcsize(module(tmp_path)._STATUS_FIRST) == 136, "what older applications rely on"


# What the header asks the kernel for, by a kernel that is played by the program.
PLAYED = """
#include <sys/socket.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
static int answer, first_version;
static int play_set(int fd, int level, int option, const void *value, socklen_t length)
{
	printf("%d %x %d %.*s %u\\n", fd, (unsigned)level, option, (int)length, (const char *)value, (unsigned)length);
	errno = answer;
	return answer ? -1 : 0;
}
static int play_get(int fd, int level, int option, void *value, socklen_t *length)
{
	unsigned int size = first_version ? 136 : 144;
	printf("%d %x %d %u\\n", fd, (unsigned)level, option, (unsigned)*length);
	memset(value, 0, *length);
	memcpy(value, &size, sizeof(size));
	*length = answer == EPROTO ? 4 : size;
	errno = answer;
	return answer && answer != EPROTO ? -1 : 0;
}
#define setsockopt play_set
#define getsockopt play_get
#include "exits.h"
int main(void)
{
	static const int errors[] = {ENOPROTOOPT, EPERM, ENOENT, EINVAL, EMSGSIZE, EOPNOTSUPP, ENOMEM};
	struct exits_socket_status status;
	char name[200];
	size_t i;
	int fd = exits_socket(AF_INET, SOCK_DGRAM, 0, EXITS_EXITS_AMS_2);
	printf("%d\\n", fd >= 0);
	printf("%d %d\\n", exits_clear(7), exits_status(7, &status));
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		answer = errors[i];
		if (exits_socket(AF_INET, SOCK_DGRAM, 0, "exits/x") != -1 || errno != errors[i])
			return 1;
		if (socket(AF_INET, SOCK_DGRAM, 0) != fd + 1 || close(fd + 1))
			return 2; /* what cannot choose is closed: its number is free again */
	}
	answer = EOPNOTSUPP;
	if (exits_status(7, &status) != -1 || errno != ENOPROTOOPT)
		return 3;
	answer = EPERM;
	if (exits_status(7, &status) != -1 || errno != EPERM)
		return 4;
	answer = 0;
	first_version = 1; /* programs of the first version give its status alone */
	memset(&status, 1, sizeof(status));
	if (exits_status(7, &status) != 0 || status.chosen_by != EXITS_BY_NOBODY || status.rule != 0)
		return 8;
	answer = EPROTO;
	if (exits_status(7, &status) != -1 || errno != EPROTO)
		return 5;
	answer = 0;
	memset(name, 'x', sizeof(name));
	name[98] = 0;
	if (exits_choose(7, name) != -1 || errno != EINVAL || exits_choose(7, "") != -1 || exits_choose(7, NULL) != -1)
		return 6;
	name[97] = 0;
	return exits_choose(7, name) == 0 ? 0 : 7;
}
"""


@pytest.mark.parametrize("cpp", [False, True], ids=["c", "c++"])
def test_what_c_asks_the_kernel_for(tmp_path: Path, cpp: bool) -> None:
    written(tmp_path, contract())
    done = subprocess.run([compiled(tmp_path, PLAYED, cpp=cpp)], capture_output=True, text=True)
    first, *rest = done.stdout.splitlines()
    level = f"{socket_level('exits'):x}"
    assert done.returncode == 0
    assert first.split()[1:] == [level, "1", "exits/ams-2", "11"]
    assert rest[0] == "1"
    assert sorted(rest[1:3]) == [f"7 {level} 1  0", f"7 {level} 2 144"]
    assert rest[3] == "0 0"


# ---- the kernel without a program ------------------------------------------------------------------------------------

UNMANAGED = """
#include "exits.h"
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words)
{
	struct exits_socket_status status;
	int domain = atoi(words[1]), type = atoi(words[2]), protocol = atoi(words[3]), fd;
	(void)count;
	fd = exits_socket(domain, type, protocol, EXITS_EXITS_FRA);
	printf("%d %d ", fd, errno);
	fd = socket(domain, type, protocol);
	printf("%d ", exits_choose(fd, EXITS_EXITS_FRA) ? errno : 0);
	printf("%d ", exits_clear(fd) ? errno : 0);
	printf("%d\\n", exits_status(fd, &status) ? errno : 0);
	return 0;
}
"""
KINDS = {
    "tcp4": (socket.AF_INET, socket.SOCK_STREAM, 0),
    "tcp6": (socket.AF_INET6, socket.SOCK_STREAM, 0),
    "udp4": (socket.AF_INET, socket.SOCK_DGRAM, 0),
    "udp6": (socket.AF_INET6, socket.SOCK_DGRAM, 0),
    "mptcp4": (socket.AF_INET, socket.SOCK_STREAM, MPTCP),
    "mptcp6": (socket.AF_INET6, socket.SOCK_STREAM, MPTCP),
    "unix": (socket.AF_UNIX, socket.SOCK_STREAM, 0),
}


def kinds() -> Iterator[tuple[str, tuple[int, int, int], int]]:
    """Those that this machine has, and what the kernel says where nobody manages them (measured on 6.18)."""
    for name, (family, kind, protocol) in KINDS.items():
        try:
            socket.socket(family, kind, protocol).close()
        except OSError:
            assert name not in ("tcp4", "udp4", "unix"), "those are everywhere"
            continue
        # AF_UNIX has no options of its own: sock_no_setsockopt() of net/core/sock.c.
        yield name, (family, kind, protocol), errno.EOPNOTSUPP if name == "unix" else errno.ENOPROTOOPT


def test_c_fails_closed(tmp_path: Path) -> None:
    written(tmp_path, contract("unmanaged-exits"))
    source = UNMANAGED.replace("exits_", "unmanaged_exits_").replace("EXITS_E", "UNMANAGED_EXITS_E")
    program = compiled(tmp_path, source.replace("exits.h", "unmanaged-exits.h"))
    for name, words, expected in kinds():
        shown = subprocess.run([program, *map(str, words)], capture_output=True, check=True, text=True).stdout
        made, *errors = map(int, shown.split())
        assert made == -1, name
        assert errors == [expected, expected, expected, errno.ENOPROTOOPT], name


@pytest.fixture
def python(tmp_path: Path) -> ModuleType:
    return module(written(tmp_path, contract("unmanaged-exits")), "unmanaged_exits")


def test_python_fails_closed(python: ModuleType) -> None:
    before = len([*Path("/proc/self/fd").iterdir()])
    kept = []
    for name, words, expected in kinds():
        with pytest.raises(OSError) as caught:
            python.socket(python.EXITS_FRA, *words)
        kept.append(caught.value)  # and with it a socket that is not closed
        assert caught.value.errno == expected, name
        assert isinstance(caught.value, python.NotManagedError) == (expected == errno.ENOPROTOOPT)
        with closing(socket.socket(*words)) as sock:
            for attempt in (lambda: python.choose(sock, "exits/fra"), lambda: python.clear(sock)):
                with pytest.raises(OSError) as caught:
                    attempt()
                assert caught.value.errno == expected, name
            with pytest.raises(python.NotManagedError) as caught:
                python.status(sock)
            assert caught.value.errno == errno.ENOPROTOOPT
    assert len([*Path("/proc/self/fd").iterdir()]) == before, "no socket is left"


def test_no_connection_without_the_choice(python: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        with pytest.raises(python.NotManagedError, match="unmanaged-exits does not manage this socket"):
            python.create_connection(server.getsockname(), python.EXITS_FRA, timeout=5)
        with pytest.raises(TimeoutError):
            server.accept()


# ---- the module ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(CASES.glob("*.py")), ids=lambda p: p.name)
def test_the_module_is_clean(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 8))
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import)]
    assert [name.name for node in imports for name in node.names] == ["errno", "socket", "struct"]
    tools = Path(sys.executable).parent
    for command in (
        [tools / "ruff", "check", "--no-cache", "--target-version", "py38"],
        [tools / "ruff", "format", "--no-cache", "--diff", "--target-version", "py38"],
        [tools / "mypy", "--strict", "--no-incremental", "--cache-dir", os.devnull],
    ):
        done = subprocess.run([*command, path.name], cwd=CASES, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


class Played:
    """A socket whose kernel has a program: it answers as it is told."""

    def __init__(self, answer: bytes = b"", error: int = 0) -> None:
        self.answer = answer
        self.error = error
        self.asked: list[Any] = []

    def setsockopt(self, *words: Any) -> None:
        self._ask(words)

    def getsockopt(self, *words: Any) -> bytes:
        self._ask(words)
        return self.answer

    def _ask(self, words: tuple[Any, ...]) -> None:
        self.asked.append(words)
        if self.error:
            raise OSError(self.error, os.strerror(self.error))


def test_what_python_asks_the_kernel_for(python: ModuleType) -> None:
    level = socket_level("unmanaged-exits")
    first = struct.pack("=IIIIQQ104s", 136, 2, 28, 1432, 1 << 40, 1 << 50, "exits/münchen".encode())
    sock = Played(first)
    python.choose(sock, "exits/münchen")
    python.clear(sock)
    assert python.status(sock) == (2, 28, 1432, 1 << 40, 1 << 50, "exits/münchen", python.BY_NOBODY, "")
    assert python.status(sock).state == python.GONE
    for by, rule, shown in ((1, 0, ""), (2, 0xEC90E52E, "mail"), (2, 5, "0x00000005")):
        assert python.status(Played(first + struct.pack("=II", by, rule)))[-2:] == (by, shown)
    assert sock.asked[:3] == [(level, 1, "exits/münchen".encode()), (level, 1, b""), (level, 2, 144)]


@pytest.mark.parametrize("name", ["", "\0", "exits/fra\0", "x" * 98, "ü" * 49])
def test_what_is_no_name_asks_nothing(python: ModuleType, name: str) -> None:
    sock = Played()
    with pytest.raises(OSError) as caught:
        python.choose(sock, name)
    assert caught.value.errno == errno.EINVAL and sock.asked == []
    python.choose(sock, "x" * 97)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (errno.EPERM, PermissionError, "no rule of unmanaged-exits lets this socket choose"),
        (errno.ENOENT, FileNotFoundError, "has no such row"),
        (errno.EMSGSIZE, OSError, "choose before connect"),
        (errno.EOPNOTSUPP, OSError, "MPTCP"),
        (errno.ENOMEM, OSError, "no memory"),
        (errno.EBADF, OSError, "Bad file descriptor"),
    ],
)
def test_a_refusal_says_what_to_do(python: ModuleType, error: int, kind: type[OSError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        python.choose(Played(error=error), "exits/nyc")
    assert caught.value.errno == error
    assert error == errno.EBADF or "'exits/nyc'" in str(caught.value)


def test_a_stranger_that_answers_is_not_believed(python: ModuleType) -> None:
    with pytest.raises(OSError) as caught:
        python.status(Played(b"\1\0\0\0"))
    assert caught.value.errno == errno.EPROTO


def test_with_a_choice(python: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections as they are where the choice succeeds; also those of asyncio."""
    chosen: list[tuple[int, str]] = []

    def choose(sock: socket.socket, name: str) -> None:
        with pytest.raises(OSError):
            sock.getpeername()  # it is not connected yet
        chosen.append((sock.family, name))

    monkeypatch.setattr(python, "choose", choose)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with python.create_connection(address, "exits/fra", timeout=5, source_address=("127.0.0.2", 0)) as sock:
            assert sock.gettimeout() == 5 and sock.getsockname()[0] == "127.0.0.2"

        async def connected() -> None:
            sock = python.socket("exits/fra", socket.AF_INET)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, address)
            _, writer = await asyncio.open_connection(sock=sock)
            writer.close()

        asyncio.run(connected())
    with pytest.raises(ConnectionRefusedError):
        python.create_connection(address, "exits/fra")
    assert chosen == [(socket.AF_INET, "exits/fra")] * 3


# ---- from a spec -----------------------------------------------------------------------------------------------------


def lowered(folder: Path, *changes: tuple[str, str]) -> ir.SocketContract | None:
    """The contract of the spec on the page, changed."""
    (text,) = (body for body in blocks("yaml") if "apiVersion" in body)
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (folder / "teams.yaml").write_text(text)
    _, described, _, findings = check_spec(str(folder / "teams.yaml"))
    assert findings.all == []
    return lower_contract(described.resolved, "0.1.0", described.program.titles)


def test_the_spec_on_the_page(tmp_path: Path) -> None:
    made = lowered(tmp_path)
    assert made is not None
    assert (made.name, made.level, made.reasons) == ("teams", socket_level("teams"), True)
    assert [(r.name, r.text) for r in made.rules] == [
        ("chosen-a", "cgroup team-a.slice -> what the socket chose of exits, no row: next"),
        ("chosen-b", "cgroup team-b.slice -> what the socket chose of exits/lon,exits/nyc, no row: drop"),
    ]
    (table,) = made.tables
    assert [(r.text, r.constant, r.comment) for r in table.rows] == [
        ("exits/fra", "EXITS_FRA", "gre"),
        ("exits/lon", "EXITS_LON", "ipip"),
        ("exits/nyc", "EXITS_NYC", "ipip"),
    ]
    assert [r.place for r in table.rows] == [f"endpoints.exits.rows.{name}" for name in ("fra", "lon", "nyc")]
    assert [r.place for r in made.rules] == ["egress.rules.chosen-a", "egress.rules.chosen-b"]
    assert (table.file, table.comment) == ("", "any row may be chosen")
    written(tmp_path, made)
    assert module(tmp_path, "teams").EXITS_NYC == "exits/nyc"


def test_only_what_rules_name(tmp_path: Path) -> None:
    made = lowered(tmp_path, ("socket: [exits]", "socket: [exits/lon]"), ('kernel: "5.19"', 'kernel: "5.10"'))
    assert made is not None and not made.reasons
    assert [r.text for r in made.tables[0].rows] == ["exits/lon", "exits/nyc"]
    assert made.tables[0].comment == "these rows may be chosen"


def test_rows_of_a_file_are_open(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("name,encapsulation,address,gre_key\nlon,ipip,192.0.2.3,\nnyc,gre,192.0.2.4,7\n")
    inline = re.search(r"    rows:\n(?:      - .*\n)+", PAGE.read_text())
    assert inline is not None
    file = (inline[0], "    file: rows.csv\n")
    made = lowered(tmp_path, file)
    assert made is not None
    (table,) = made.tables
    assert table.file == "rows.csv"
    assert [(r.text, r.comment) for r in table.rows] == [("exits/lon", "gre or ipip"), ("exits/nyc", "gre or ipip")]
    named = lowered(tmp_path, file, ("socket: [exits]", "socket: [exits/lon]"))
    assert named is not None and named.tables[0].file == "", "no other row can be chosen"


def test_a_spec_without_sockets_promises_nothing() -> None:
    described = check_spec(str(ROOT / "examples" / "ipip-sites.yaml"))[1]
    assert lower_contract(described.resolved, "0.1.0", described.program.titles) is None


# ---- what the page says ----------------------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def test_the_code_on_the_page_compiles(tmp_path: Path) -> None:
    written(tmp_path, contract("teams"))
    for body in blocks("c"):
        done = subprocess.run([compiled(tmp_path, body)], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, "") and "exits/fra" in done.stderr, "it fails closed"
    for body in blocks("python"):
        (tmp_path / "page.py").write_text(body)
        command = [Path(sys.executable).parent / "mypy", "--strict", "--cache-dir", os.devnull, "page.py"]
        assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0, body
    level = f"{socket_level('teams'):#x}"
    assert len(blocks("c")) == 1 and len(blocks("python")) == 4
    assert sum(level in body for body in blocks("go")) == 1
    assert f"`teams` has `{level}`" in PAGE.read_text()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_control_message_of_our_own_would_fail_open(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as receiver, socket.socket(family, socket.SOCK_DGRAM) as sender:
        try:
            receiver.bind((address, 0))
        except OSError:
            pytest.skip("no IPv6 on this machine")
        receiver.settimeout(5)
        sender.sendmsg([b"sent"], [(socket_level("exits"), 1, b"exits/fra")], 0, receiver.getsockname())
        assert receiver.recv(9) == b"sent"


def test_what_the_kernel_says_is_what_the_page_says() -> None:
    """The kernel of this machine; the table is of 6.18."""
    rows = re.findall(r"^\| (.*?) \| `(E\w+)` \| `(E\w+)` \|$", PAGE.read_text(), re.MULTILINE)
    said = {"tcp6": rows[0], "udp6": rows[0], "tcp4": rows[1], "udp4": rows[1], "mptcp4": rows[1], "unix": rows[2]}
    level = socket_level("unmanaged-exits")
    for name, words, _ in kinds():
        with closing(socket.socket(*words)) as sock:
            answers = []
            for ask in (lambda s: s.setsockopt(level, 1, b"exits/fra"), lambda s: s.getsockopt(level, 2, 136)):
                with pytest.raises(OSError) as caught:
                    ask(sock)
                answers.append(caught.value.errno)
        if name in said:
            assert answers == [getattr(errno, word) for word in said[name][1:]], name
