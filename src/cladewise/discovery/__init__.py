"""Class discovery: clusters of a trained run's features that refine its coarse classes."""

from cladewise.discovery.discovering import Discovery, discover

__all__ = ["Discovery", "discover"]
