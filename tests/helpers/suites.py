"""Training functions of a suite, by name: each is told its task by its arguments."""

import numpy as np


def noisy(seed, *, level, noise=0.01):
    """A number that depends on the seed and on the task."""
    return {"acc": level + noise * seed.numpy("init", round(1000 * level)).normal()}


def raised(seed, *, level, noise=0.01):
    """Another such number, about 0.1 higher."""
    return {"acc": level + 0.1 + noise * seed.numpy("order", round(1000 * level)).normal()}


def diverging(seed, *, level, noise=0.01):
    """The same, of which seed 0 diverges in the hard task."""
    lost = level < 0.5 and int(seed) == 0
    return {"acc": np.nan} if lost else noisy(seed, level=level, noise=noise)


def failing(seed, *, level, noise=0.01):
    """Fails in the hard task."""
    if level < 0.5:
        raise RuntimeError("no such game")
    return noisy(seed, level=level)


def predicting(seed, *, level, noise=0.01):
    """Predictions with targets: right for a share `level` of ten examples."""
    targets = np.arange(10) % 2
    right = np.arange(10) < round(10 * level)
    logits = np.where(targets == 1, 1.0, -1.0) * np.where(right, 1.0, -1.0)
    return {"predictions": np.stack([-logits, logits], axis=1), "targets": targets}


def scoring(seed, *, level, noise=0.01):
    """A score for each of four episodes."""
    return {"scores": {"reward": np.array([0.0, 1.0, 2.0, 3.0]) + level}}
