"""The header catalogue: protocols as data, and what is derived from the data."""
