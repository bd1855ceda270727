"""Induction: a proposed label tree for classes that have none, from names, features, confusions or a larger tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names

if TYPE_CHECKING:
    from cladewise.induction.assessing import (
        MistakesInTree,
        TrainedOn,
        agreement_with,
        mistakes_in,
        nodes_in,
        random_agreement,
        train_on,
    )
    from cladewise.induction.inducing import induce
    from cladewise.induction.page import write_proposal_page
    from cladewise.induction.proposal import Proposal, Question
    from cladewise.induction.run_evidence import answers_of

__all__ = [
    "MistakesInTree",
    "Proposal",
    "Question",
    "TrainedOn",
    "agreement_with",
    "answers_of",
    "induce",
    "mistakes_in",
    "nodes_in",
    "random_agreement",
    "train_on",
    "write_proposal_page",
]

_MODULES = {
    "MistakesInTree": "cladewise.induction.assessing",
    "Proposal": "cladewise.induction.proposal",
    "Question": "cladewise.induction.proposal",
    "TrainedOn": "cladewise.induction.assessing",
    "agreement_with": "cladewise.induction.assessing",
    "answers_of": "cladewise.induction.run_evidence",
    "induce": "cladewise.induction.inducing",
    "mistakes_in": "cladewise.induction.assessing",
    "nodes_in": "cladewise.induction.assessing",
    "random_agreement": "cladewise.induction.assessing",
    "train_on": "cladewise.induction.assessing",
    "write_proposal_page": "cladewise.induction.page",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
