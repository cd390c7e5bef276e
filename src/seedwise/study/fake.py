"""A training that takes microseconds: what our tests and measurements of studies are made with.

    [setups.plain]
    train = "seedwise.study.fake:train"

    [setups.better]
    train = "seedwise.study.fake:better"

The predictions are noise around the truth, a function of the seed alone, so that studies of any
size can be made, interrupted and looked at in seconds. They say nothing about real trainings.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import ndarray

from seedwise.seeds import Seed
from seedwise.shaped import Float32

__all__ = ["CLASSES", "EXAMPLES", "better", "predictions", "train"]

EXAMPLES, CLASSES = 500, 10

_TARGETS = np.arange(EXAMPLES) % CLASSES
_SHARED = np.random.default_rng(20200301).standard_normal((EXAMPLES, CLASSES), dtype=np.float32)
"""Difficulty of examples, which all seeds and setups share: some are easy, some are hard."""


def train(seed: Seed) -> Mapping[str, Any]:
    """Predictions that are right for about 70 % of 500 examples of 10 classes, in 0.1 ms."""
    return {"predictions": predictions(seed, skill=3.0), "targets": _TARGETS}


def better(seed: Seed) -> Mapping[str, Any]:
    """The same, with the same noise, and about 2 points better."""
    return {"predictions": predictions(seed, skill=3.15), "targets": _TARGETS}


def predictions(seed: Seed, *, skill: float) -> Float32[ndarray, "examples classes"]:
    """Logits: `skill` at the right class, and noise, half of it the same for every seed."""
    rng = np.random.default_rng((seed.init, seed.order, seed.augment))
    logits = rng.standard_normal((EXAMPLES, CLASSES), dtype=np.float32)
    logits += _SHARED
    logits[np.arange(EXAMPLES), _TARGETS] += np.float32(skill)
    return logits
