"""The verbs of `encapctl`, one a file. Each imports what it needs when it runs: `status` is run often."""
