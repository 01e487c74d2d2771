"""Where programs are attached: TCX links, clsact filters and links of cgroups behind one interface, a file each."""
