"""One protocol a file, each with a `HEADER`. `headers.catalogue` finds them; nothing else names them."""
