"""Runs shared on the Hugging Face Hub: a copy of the run folder for others, its model card, and the upload.

Opening a shared run needs none of this: :meth:`cladewise.Run.open` and every command take ``hf://user/name``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names

if TYPE_CHECKING:
    from cladewise.hub.card import CardFacts, model_card
    from cladewise.hub.mixin import HubRun
    from cladewise.hub.pushing import Pushed, push
    from cladewise.hub.sharing import SharedCopy, share

__all__ = ["CardFacts", "HubRun", "Pushed", "SharedCopy", "model_card", "push", "share"]

_MODULES = {
    "CardFacts": "cladewise.hub.card",
    "HubRun": "cladewise.hub.mixin",
    "Pushed": "cladewise.hub.pushing",
    "SharedCopy": "cladewise.hub.sharing",
    "model_card": "cladewise.hub.card",
    "push": "cladewise.hub.pushing",
    "share": "cladewise.hub.sharing",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
