"""One protocol a file, each with a `HEADER`. `compile.headers.catalogue` finds them; nothing else names them."""
