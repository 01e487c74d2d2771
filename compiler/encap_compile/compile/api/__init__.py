"""The functions of the public API that compile, and look at no machine."""
