"""Where programs are attached: TCX links and clsact filters behind one interface, one attach kind a file."""
