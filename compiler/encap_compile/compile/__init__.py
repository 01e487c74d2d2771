"""What compiles: from a spec to a bundle. Pure, and without a kernel."""
