"""Choosing a decision rule: all of them judged on a run's own images, and the page to choose on."""

from cladewise.choosing.candidates import candidate_rules
from cladewise.choosing.choosing import Chosen, choose

__all__ = ["Chosen", "candidate_rules", "choose"]
