"""The tools that turn text into an object. Only this package starts other programs."""
