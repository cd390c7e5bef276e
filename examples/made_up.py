"""Trainings that take no time: their predictions are made up.

The documentation is tried on them, so that its pages can be followed in seconds:
`seedwise run examples/made_up.toml` makes 30 runs.
"""

import numpy as np

EXAMPLES, CLASSES = 1000, 10
TARGETS = np.arange(EXAMPLES) % CLASSES
DIFFICULTY = 1.6 * np.random.default_rng(0).standard_normal((EXAMPLES, CLASSES))


def plain(seed):
    """Right for about 83 % of the examples."""
    return made_up(seed, skill=5.0, own=1)


def better(seed):
    """About a point better."""
    return made_up(seed, skill=5.1, own=2)


def other(seed):
    """No better and no worse, but not the same."""
    return made_up(seed, skill=5.0, own=3)


def made_up(seed, *, skill, own):
    """What the setups share, as two trainings do that see the same batches, and their own."""
    shared, alone = seed.numpy("order"), np.random.default_rng((own, int(seed)))
    logits = DIFFICULTY + shared.standard_normal((EXAMPLES, CLASSES))
    logits += 0.3 * alone.standard_normal((EXAMPLES, CLASSES))
    logits[np.arange(EXAMPLES), TARGETS] += skill
    return {"predictions": logits, "targets": TARGETS}
