"""Learning-rate schedules."""

import math

import numpy as np

from seedwise.errors import UnknownName

__all__ = ["flat_cos"]


def flat_cos(step: int, steps: int, lr: float, *, flat: float = 0.72, form: str = "v1") -> float:
    """The learning rate of a step: flat, then a cosine down to 0.

    The two forms count differently. `v1` (the notebook's `fit_flat_cos` on fastai 1) starts the
    cosine at a whole step, the first at or after flat * steps, but lets it last the fractional
    (1 - flat) * steps: it ends a little above 0. `v2` (fastai 2) goes by the share of the steps
    that is done, in float32 as there, and heads for lr / 1e5. With 1,005 steps they differ by 9e-6
    at most. Both repeat the rates of real fits to the last bit.

    Args:
        step: Number of the step, from 0 to steps - 1.
        steps: Steps of the whole run.
        lr: Learning rate of the flat phase.
        flat: Share of the steps in the flat phase, in [0, 1).
        form: `v1` or `v2`.

    Raises:
        UnknownName: There is no such form.

    >>> flat_cos(0, 850, 4e-3), round(flat_cos(849, 850, 4e-3), 9)
    (0.004, 1.74e-07)
    """
    if form == "v1":
        start = math.ceil(flat * steps)
        if step <= start:
            return lr
        return lr / 2 * (1 + math.cos(math.pi * (step - start) / ((1 - flat) * steps)))
    if form == "v2":
        start, done = np.float32(flat), np.float32(step / steps)
        if done < start:
            return lr
        fallen = float((done - start) / (np.float32(1) - start))
        return lr + (lr / 1e5 - lr) / 2 * (1 + math.cos(math.pi * (1 - fallen)))
    raise UnknownName("schedule form", form, ("v1", "v2"))
