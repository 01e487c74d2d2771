"""Real traffic between network namespaces: what the compiler makes against the kernel's own tunnel devices."""
