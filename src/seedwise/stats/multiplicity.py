"""p-values of several comparisons made together."""

from typing import Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from seedwise.errors import UnknownName

__all__ = ["CORRECTIONS", "Correction", "adjusted"]

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
