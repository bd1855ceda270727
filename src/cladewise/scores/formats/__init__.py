"""Formats of scores, one module each."""
