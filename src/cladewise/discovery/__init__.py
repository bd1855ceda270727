"""Classes that nobody named: what a network of coarse classes finds under each of them."""

from cladewise.discovery.discovering import Discovery, discover

__all__ = ["Discovery", "discover"]
