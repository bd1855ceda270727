"""Pictures and tables as files, for reports and papers: one style, one palette, no torch.

Modules are imported by name, so that whoever only needs a colour does not load matplotlib.
"""
