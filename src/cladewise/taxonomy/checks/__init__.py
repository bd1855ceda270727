"""Problems of a label file: their rules and messages, and the checks on names that need no file."""
