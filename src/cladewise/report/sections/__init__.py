"""Sections of the page, one file each: the numbers, how the page shows them, and the rows of their CSV file."""
