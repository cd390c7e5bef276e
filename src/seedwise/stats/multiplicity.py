"""p-values of several comparisons made together."""

from typing import Literal

import numpy as np
from numpy import ndarray

from seedwise.errors import UnknownName
from seedwise.shaped import Float64

__all__ = ["CORRECTIONS", "Correction", "adjusted", "next_level"]

Correction = Literal["holm", "bh"]
CORRECTIONS: tuple[Correction, ...] = ("holm", "bh")


def adjusted(
    p_values: Float64[ndarray, " tests"], method: Correction
) -> Float64[ndarray, " tests"]:
    """p-values that may each be compared with alpha although there are several.

    Args:
        p_values: One for each test, in [0, 1].
        method: `holm` keeps the chance of any false alarm at alpha, whatever depends on what
            (Holm, 1979); `bh` keeps the expected share of false alarms among the alarms at alpha,
            for tests that are independent or positively dependent (Benjamini & Hochberg, 1995): a
            screening, not a verdict.

    Returns:
        Adjusted values in the order of the tests, none below its own.

    Raises:
        UnknownName: No such method.

    >>> adjusted(np.array([0.01, 0.04, 0.03]), "holm")
    array([0.03, 0.06, 0.06])
    """
    tests = len(p_values)
    order = np.argsort(p_values, kind="stable")
    ranks = np.arange(1, tests + 1)
    if method == "holm":
        ordered = np.maximum.accumulate(p_values[order] * (tests + 1 - ranks))
    elif method == "bh":
        ordered = np.minimum.accumulate((p_values[order] * tests / ranks)[::-1])[::-1]
    else:
        raise UnknownName("correction", method, CORRECTIONS)
    found = np.empty(tests)
    found[order] = np.minimum(ordered, 1)
    return found


def next_level(
    adjusted_p: Float64[ndarray, " tests"], method: Correction, *, alpha: float
) -> float:
    """The p-value, uncorrected, at which one more of the tests would be significant.

    Args:
        adjusted_p: The corrected p-values of all tests.
        method: How they were corrected.
        alpha: The level.

    Returns:
        alpha / m where none of m tests is significant so far. More where some are: Holm's next
        level, or Benjamini and Hochberg's. alpha where all are.

    >>> next_level(np.array([0.01, 0.2, 0.3]), "holm", alpha=0.05)
    0.025
    """
    tests, shown = len(adjusted_p), int((adjusted_p < alpha).sum())
    if method == "holm":
        return alpha / max(1, tests - shown)
    return alpha * min(tests, shown + 1) / tests
