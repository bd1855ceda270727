"""Trained runs carried over to an edited tree, and labels and predictions translated into it."""

from cladewise.migration.answering import answering_in
from cladewise.migration.matched import implied_tree
from cladewise.migration.migrating import Migration, migrate
from cladewise.migration.rewriting import rewritten_head
from cladewise.migration.translating import translate, translate_labels

__all__ = ["Migration", "answering_in", "implied_tree", "migrate", "rewritten_head", "translate", "translate_labels"]
