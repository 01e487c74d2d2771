"""`./dev demo`: one spec compiled, loaded and carrying real traffic to the kernel's own VXLAN devices."""
