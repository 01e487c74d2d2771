"""Diagnostics of the toolchain and of what is written."""

from . import Explained

CODES: dict[str, Explained] = {
    "T101": Explained(
        "the pinned clang is not installed",
        """
encap-compile builds with the clang inside the `ziglang` wheel, so that the same C gives the same object on every
machine. It is installed together with encap-compile. Install that again, from the checkout or the wheel:

    pip install --force-reinstall ./packaging/encapctl .

Where the wheel does not exist for a platform, name another clang:

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
Older releases lower the C to code that verifiers refuse. Use clang 14 or newer, or the pinned one:

    env -u ENCAP_CLANG encap-compile spec.yaml
""",
    ),
    "T105": Explained(
        "clang refuses the generated C",
        """
With the pinned clang that is a bug of encap-compile: please report it with the spec. With a chosen clang, see whether
the pinned one takes it:

    env -u ENCAP_CLANG encap-compile spec.yaml

If it says `Branch target out of insn range`, the rules make a program that is longer than BPF's jumps reach: fewer
rules and shorter lists help, as `encap-compile explain E520` shows.
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
The output directory, or a file in it, cannot be written. Files are replaced one by one and the manifest last, so what
was there before is still whole.

    encap-compile -o /tmp/build spec.yaml
""",
    ),
    "T108": Explained(
        "a file went away while it was read",
        """
A CSV file or a prefix list that the spec names could be read at first and was gone, or not to be read, a moment later:
somebody else works in the folder. Nothing was written.

    encap-compile spec.yaml
""",
    ),
    "T109": Explained(
        "two specs have one name",
        """
Each spec's bundle is the folder of its `name`, so two specs of one name would overwrite each other.

    name: overlay-east
""",
    ),
    "T110": Explained(
        "the schema refuses the spec, and no message says why",
        """
jsonschema validates every spec against the schema that `encap-compile schema` prints, and the compiler puts its errors
into words. This one has none, so you see what jsonschema itself says. The spec is refused all the same. Please report
it with the spec.
""",
    ),
    "T121": Explained(
        "the command line is not understood",
        """
An option that does not exist, one that is given without its value, or an argument that is missing. Programs that asked
for a document (`--format json` or `sarif`) get it as one; people get the usage in words. The exit code is 2.

    encap-compile --help
""",
    ),
    "T122": Explained(
        "interrupted",
        """
SIGINT came (Ctrl-C). Files are replaced one by one and each whole, and every step of encapctl may be interrupted: run
the same command again to go on. The exit code is 130.

    encap-compile spec.yaml
""",
    ),
    "T123": Explained(
        "a bug of ours",
        """
Something happened that the program did not expect. It is our mistake, whatever the spec says: please report it, with
the output of the same command and `--debug`, which shows where it happened. The exit code is 70.

    encap-compile --debug spec.yaml
""",
    ),
    "T124": Explained(
        "an artifact is stale",
        """
`--check` compared what the compiler would write with what is there, and this file differs: its spec or rows changed,
another compiler wrote it, or somebody edited it. The exit code is 3. Compile, look at the difference, and commit it:

    encap-compile -o build spec.yaml
""",
    ),
    "T131": Explained(
        "a test that cannot be run",
        """
A test of the spec names what is not there (a rule, a row, a header's field, a host value), or describes a packet that
cannot be made. docs/spec.md has the words of tests, docs/testing.md has examples.
""",
    ),
    "T132": Explained(
        "no tests",
        """
`encap-compile test` was asked for the tests of a spec that has none. Write them under `tests:`:

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
The spec does something else with the packet than the test expects. `encap-compile test SPEC` shows which steps led
there; mend the spec or the test.
""",
    ),
    "T134": Explained(
        "a rule without a test",
        """
No test of the spec has a packet, or a socket that connects, that this rule decides on, and `--require-coverage`
asks for one for each rule. `egress.default` needs one too, unless a rule before it decides on everything.
""",
    ),
    "T135": Explained(
        "the model and the program differ",
        """
`encap-compile test --kernel` gave a test's packet to the model and to the loaded program, and they did different
things with it. One of them is wrong, or the kernel is: not the spec. The exit code is 70. The program is what runs on
machines. Please report it, with the spec and the message.
""",
    ),
    "T136": Explained(
        "a test that the program was not given",
        """
`encap-compile test --kernel` gives packets to the program by BPF_PROG_TEST_RUN, which knows no sockets that have
chosen, no cgroup but that of encap-compile itself, no connect(), and no frames longer than a page. Such a test is run
by the model alone, and this note says so; it is no failure.
""",
    ),
}
