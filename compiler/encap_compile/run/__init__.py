"""What runs on a machine: from a bundle to programs in the kernel. Nothing of it compiles."""
