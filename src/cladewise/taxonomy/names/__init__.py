"""From what a user writes to the node it names: paths as text, when two names are the same, lookup."""
