"""Runs whose classifier is made of texts of the nodes, without training."""
