"""Fitting the weights of a network: settings to a finished run folder."""
