"""Checks of labels: the kinds of problems with their messages, and checks on the names of nodes."""
