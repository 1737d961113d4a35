"""The parts of a training run as scikit-learn estimators, for notebooks and experiments.

Each is a thin wrapper around the functions that ``pairguard-train fit`` itself calls: there is one
way to train, and these are handles on it.
"""

from pairguard_training.estimators.age import AgeBehaviourRegressor
from pairguard_training.estimators.calibrator import RareEventCalibrator
from pairguard_training.estimators.harm import HarmClassifier

__all__ = ["AgeBehaviourRegressor", "HarmClassifier", "RareEventCalibrator"]
