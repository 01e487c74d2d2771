"""YAML as trees of nodes with positions, for specs and host files. The only place for PyYAML."""
