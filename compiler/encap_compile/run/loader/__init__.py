"""The parts of `plan` and `apply`: the bundle, the machine's state, map contents, what is in force."""
