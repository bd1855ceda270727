"""Newick and NEXUS."""
