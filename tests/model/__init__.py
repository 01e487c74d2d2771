"""The model against the program: the same frames through both."""
