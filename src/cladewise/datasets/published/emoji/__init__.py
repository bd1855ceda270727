"""Emoji drawings by nine vendors in Unicode's hierarchy: a small dataset that only needs an npm client."""

from cladewise.datasets.published.emoji.by_vendor import GROUPS, load_emoji, vendor_of

__all__ = ["GROUPS", "load_emoji", "vendor_of"]
