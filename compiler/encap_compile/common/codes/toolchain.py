"""Diagnostics of the toolchain and of what is written."""

from . import Explained

CODES: dict[str, Explained] = {
    "T101": Explained(
        "the pinned clang is not installed",
        """
encap-compile builds with the clang inside the `ziglang` wheel, so that the same C gives the same object on
every machine. It is installed together with encap-compile. Reinstall that, from the checkout or the wheel:

    pip install --force-reinstall ./packaging/encapctl .

If there is no wheel for your platform, name another clang:

    encap-compile --clang /usr/bin/clang-19 spec.yaml
""",
    ),
    "T102": Explained(
        "the chosen clang cannot be run",
        """
The path given with --clang or in ENCAP_CLANG does not exist or is not executable.

    encap-compile --clang /usr/bin/clang-19 spec.yaml
""",
    ),
    "T103": Explained(
        "the chosen program is not a clang",
        """
`--version` does not print `clang version N`. gcc cannot be used: its BPF code is not what was tested.

    encap-compile --clang /usr/bin/clang-19 spec.yaml
""",
    ),
    "T104": Explained(
        "the chosen clang is too old",
        """
Older releases compile the C to code that verifiers refuse. Use clang 14 or newer, or the pinned one:

    env -u ENCAP_CLANG encap-compile spec.yaml
""",
    ),
    "T105": Explained(
        "clang refuses the generated C",
        """
With the pinned clang that is a bug of encap-compile: please report it with the spec. With a chosen clang,
try the pinned one:

    env -u ENCAP_CLANG encap-compile spec.yaml

If it says `Branch target out of insn range`, the program is longer than BPF jumps reach: use fewer rules
and shorter lists, as `encap-compile explain E520` shows.
""",
    ),
    "T106": Explained(
        "the pinned clang-format is missing or failed",
        """
The C is formatted by the clang-format of the `clang-format` wheel, which comes with encap-compile:

    pip install --force-reinstall ./packaging/encapctl .
""",
    ),
    "T107": Explained(
        "a result cannot be written",
        """
The output directory, or a file in it, cannot be written. Files are replaced one by one, the manifest last,
so the earlier bundle is still complete.

    encap-compile -o /tmp/build spec.yaml
""",
    ),
    "T108": Explained(
        "a file disappeared while it was read",
        """
A CSV file or a prefix list of the spec was readable at first, and missing or unreadable a moment later:
another process changes the folder. Nothing was written. Run the command again.

    encap-compile spec.yaml
""",
    ),
    "T109": Explained(
        "two specs have the same name",
        """
Each spec's bundle is a folder with its `name`, so two specs with the same name would overwrite each other.
Rename one:

    name: overlay-east
""",
    ),
    "T110": Explained(
        "the schema refuses the spec, and no message says why",
        """
jsonschema validates every spec against the schema that `encap-compile schema` prints, and the compiler
explains its errors. There is no explanation for this one, so the message is jsonschema's own. The spec is
still refused. Please report it with the spec.
""",
    ),
    "T111": Explained(
        "the program takes more stack than the kernel allows",
        """
The kernel refuses a program whose functions take more than 512 bytes of stack along a chain of calls, so no
machine could load this one. The message names the chain. With the pinned clang that is a bug of
encap-compile: please report it with the spec. Rules that `learn`, and answers whose MSS is clamped
(`mtu: {clamp_mss: false}`), take the most. With a chosen clang, try the pinned one:

    env -u ENCAP_CLANG encap-compile spec.yaml
""",
    ),
    "T121": Explained(
        "the command line is invalid",
        """
An option does not exist or lacks its value, or an argument is missing. With `--format json` or `sarif` the
error is in the document; otherwise the usage is printed. The exit code is 2.

    encap-compile --help
""",
    ),
    "T122": Explained(
        "interrupted",
        """
The process received SIGINT (Ctrl-C). Each file is replaced as a whole, and every step of encapctl can be
interrupted: run the same command again to continue. The exit code is 130.

    encap-compile spec.yaml
""",
    ),
    "T123": Explained(
        "an internal error",
        """
The program reached an unexpected state. It is a bug of the program, whatever the spec says: please report
it, with the output of the same command with `--debug`, which shows where it happened. The exit code is 70.

    encap-compile --debug spec.yaml
""",
    ),
    "T124": Explained(
        "an artifact is stale",
        """
`--check` compared what the compiler would write with the existing files, and this one differs: its spec or
rows changed, another compiler wrote it, or it was edited. The exit code is 3. Compile, review the
difference, and commit it:

    encap-compile -o build spec.yaml
""",
    ),
    "T131": Explained(
        "a test that cannot be run",
        """
A test of the spec names something that does not exist (a rule, a row, a header's field, a host value), or
describes an impossible packet. docs/spec.md has the words of tests, docs/testing.md has examples.
""",
    ),
    "T132": Explained(
        "no tests",
        """
The spec has no tests to run. Write them under `tests:`:

    tests:
      packets:
        - name: web
          leaves: {source: 10.0.0.5, destination: 10.1.0.9, protocol: tcp, destination_port: 443}
          expect: {verdict: encapsulate, rule: web}
""",
    ),
    "T133": Explained(
        "a test failed",
        """
The spec does not do with the packet what the test expects. `encap-compile test SPEC` shows the steps that
led to the result. Correct the spec or the test.
""",
    ),
    "T134": Explained(
        "a rule without a test",
        """
No test has a packet or a connecting socket that this rule decides about, and `--require-coverage` requires
one for each rule. `egress.default` needs one too, unless an earlier rule matches everything.
""",
    ),
    "T135": Explained(
        "the model and the program differ",
        """
`encap-compile test --kernel` ran a test's packet through the model and through the loaded program, with
different results. One of them is wrong, or the kernel is, but not the spec. The exit code is 70. The
program is what runs on machines. Please report it, with the spec and the message.
""",
    ),
    "T136": Explained(
        "a test that was not run on the program",
        """
`encap-compile test --kernel` gives packets to the program by BPF_PROG_TEST_RUN, which knows no sockets that
have chosen, no cgroup but that of encap-compile itself, no connect(), and no frames longer than a page.
Such a test is run by the model alone, and this note says so; it is no failure.
""",
    ),
}
