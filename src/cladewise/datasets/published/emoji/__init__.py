"""Emoji drawings of nine vendors in Unicode's hierarchy: a small data set that needs only an npm client."""

from cladewise.datasets.published.emoji.by_vendor import GROUPS, load_emoji, vendor_of

__all__ = ["GROUPS", "load_emoji", "vendor_of"]
