"""Files and folders that hold a tree: reading, writing and checking them. One package per family of formats."""
