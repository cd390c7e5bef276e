"""Tests that show the sign of a difference: the rule of fixed and of growing numbers of runs.

The claim is about accuracy. Matched accuracy has the least noise, but it and ranked accuracy can
both move while no prediction changes: where wrong predictions get less sure of themselves, say.
Accuracy's estimate then agrees with them by luck every other time. So accuracy has to show the
sign itself, and what the soft metrics lend is a direction. Where matched and ranked accuracy both
show the sign, accuracy has to at four fifths of the error rate, on that side alone; else at the
last fifth. Whatever the soft metrics do, setups of the same accuracy are called better or worse no
more often than at the error rate.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from seedwise.shaped import Bool, Float64, Int8

__all__ = ["ALONE", "WITH_SOFT", "SignTest", "Witness", "sign_of", "witness"]

WITH_SOFT = 1.6
"""Two-sided level, as a multiple of the error rate, at which accuracy has to show a sign that soft
metrics show too: one-sided, 4 % of 5."""

ALONE = 0.4
"""The same where they don't: one-sided, 1 % of 5. Both together are the error rate."""

_ROUNDING = 1e-9
"""Rounding that a mean of floats may lack of the one prediction that it stands for, relative."""

Numbers = Float64[ndarray, "*tests"] | float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SignTest:
    """Tests of the sign of differences, one or an array of them.

    Attributes:
        sign: 1, -1, or 0 where the estimate has none.
        strength: The evidence against what it takes two-sided at a multiple of the error rate:
            grows with the first, and means the same for all tests of one difference.
    """

    sign: Int8[ndarray, "*tests"]
    strength: Callable[[float], Numbers]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Witness:
    """The tests that count.

    Attributes:
        agree: Whether accuracy's estimate has the sign of the soft metric's.
        soft: Whether soft metrics and accuracy show the sign together; accuracy alone, where not.
        sign: The sign that is shown if the evidence is strong enough; 0 where none can be shown.
        strength: Its strength: that of the weakest test of those that have to show it.
    """

    agree: Bool[ndarray, "*tests"]
    soft: Bool[ndarray, "*tests"]
    sign: Int8[ndarray, "*tests"]
    strength: Numbers


def sign_of(estimate: Numbers, resolution: float = 0.0) -> Int8[ndarray, "*tests"]:
    """The sign of an estimate; 0 where not even one prediction in a run is different.

    Rounding of rescaled logits to float16 makes and breaks a few ties: that is not agreement.

    Args:
        estimate: Mean difference of accuracy, or of another metric.
        resolution: What one prediction in a run is worth to accuracy; 0 where it is not known.

    >>> sign_of(np.array([0.0003, 0.0001, -0.0002]), 0.0002).tolist()
    [1, 0, -1]
    """
    seen = np.abs(estimate) >= resolution * (1 - _ROUNDING)
    return np.where(seen, np.sign(estimate), 0).astype(np.int8)


def witness(accuracy: SignTest, soft: SignTest, guard: SignTest | None) -> Witness:
    """The tests that count for the sign of a difference.

    Args:
        accuracy: Those of accuracy.
        soft: Those of the metric that stands for it.
        guard: Those that have to show the soft metric's sign as well; None where none has to.

    >>> def of(sign, t): return SignTest(sign=np.int8(sign), strength=lambda level: t + level)
    >>> found = witness(of(1, 2.0), of(1, 9.0), of(1, 4.0))
    >>> bool(found.soft), int(found.sign), float(found.strength)
    (True, 1, 3.6)
    >>> found = witness(of(1, 2.0), of(1, 9.0), of(-1, 4.0))
    >>> bool(found.soft), float(found.strength)
    (False, 2.4)
    """
    agree = (accuracy.sign != 0) & (accuracy.sign == soft.sign)
    together = np.minimum(soft.strength(1), accuracy.strength(WITH_SOFT))
    joined = agree
    if guard is not None:
        joined = agree & (guard.sign == soft.sign)
        together = np.minimum(together, guard.strength(1))
    alone = accuracy.strength(ALONE)
    by_soft = joined & (together >= alone)
    return Witness(
        agree=agree,
        soft=by_soft,
        sign=accuracy.sign,
        strength=np.where(by_soft, together, alone),
    )
