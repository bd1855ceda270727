"""Lists of species as classifiers and checklists of birds and camera traps publish them."""
