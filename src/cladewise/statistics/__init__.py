"""Intervals by bootstrap, paired differences, binomial bounds, conformal ranks, sequential tests, spread, agreement."""

from cladewise.statistics.binomial import binomial_tail, clopper_pearson_interval, clopper_pearson_lower
from cladewise.statistics.bootstrap import Interval, mean_interval, mean_intervals, paired_difference
from cladewise.statistics.clusterings import Agreement, agreement
from cladewise.statistics.conformal import conformal_rank, images_for_coverage
from cladewise.statistics.detection import auroc, missed_at
from cladewise.statistics.frequency_bounds import FREQUENCIES, FrequencyBounds, images_at_level
from cladewise.statistics.learn_then_test import fixed_sequence, least_successes, trials_needed
from cladewise.statistics.spread import Spread, mean_and_sd
from cladewise.statistics.trees import LevelAgreement, TreeAgreement, tree_agreement
from cladewise.statistics.two_samples import Difference, ks_difference, shares_difference

__all__ = [
    "FREQUENCIES",
    "Agreement",
    "Difference",
    "FrequencyBounds",
    "Interval",
    "LevelAgreement",
    "Spread",
    "TreeAgreement",
    "agreement",
    "auroc",
    "binomial_tail",
    "clopper_pearson_interval",
    "clopper_pearson_lower",
    "conformal_rank",
    "fixed_sequence",
    "images_at_level",
    "images_for_coverage",
    "ks_difference",
    "least_successes",
    "mean_and_sd",
    "mean_interval",
    "mean_intervals",
    "missed_at",
    "paired_difference",
    "shares_difference",
    "tree_agreement",
    "trials_needed",
]
