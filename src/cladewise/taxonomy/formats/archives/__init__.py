"""Checklists published as archives: Darwin Core archives, ColDP and NCBI's taxdump."""
