"""Decisions on scores that another tool made."""
