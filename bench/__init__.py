"""`./dev bench`: what an encapsulated packet costs on this machine, beside the kernel's own ways, in one run."""
