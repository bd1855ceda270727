"""Calibration: probabilities that agree with the share of right answers.

Three ways to learn it from labelled images that the network was not trained on: a temperature of the scores, an
isotonic map and a beta map of the probabilities. :class:`cladewise.inference.Calibrate` applies them as a rule.
"""

from cladewise.calibration.beta import Beta
from cladewise.calibration.calibrator import ENOUGH, Calibrator
from cladewise.calibration.isotonic import Isotonic
from cladewise.calibration.pairs import ProbabilityCounts
from cladewise.calibration.temperature import Temperature, at_temperature, label_nats

__all__ = [
    "ENOUGH",
    "Beta",
    "Calibrator",
    "Isotonic",
    "ProbabilityCounts",
    "Temperature",
    "at_temperature",
    "label_nats",
]
