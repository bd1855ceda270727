"""Published datasets, each in its official layout and with its official splits."""
