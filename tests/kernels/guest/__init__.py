"""What runs inside the booted kernel: namespaces, the kernel's tunnel devices, traffic, and our side of the tunnel."""
