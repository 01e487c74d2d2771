"""What compiling and running share: the manifest, rows, values, documents, diagnostics."""
