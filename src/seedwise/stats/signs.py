"""Whose test shows the sign of a difference: the rule of fixed and of growing numbers of runs.

Matched accuracy has the least noise, and may show the sign only where accuracy's estimate has the
same one. A rescaling of the logits that leaves every prediction as it is moves no accuracy, but
one that depends on the margin moves matched accuracy by tenths of a point with hardly any noise,
and accuracy's estimate agrees with that by luck every other time. So ranked accuracy, which no
such rescaling moves, has to show the same sign too, by its own test.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int8
from numpy import ndarray

__all__ = ["SignTest", "Witness", "sign_of", "witness"]

_ROUNDING = 1e-9
"""What a mean of floats may lack of the one prediction that it stands for, as a share of it."""

Numbers = Float64[ndarray, "*tests"] | float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SignTest:
    """Tests of the sign of differences, one or an array of them.

    Attributes:
        sign: 1, -1, or 0 where the estimate has none.
        strength: What grows with the evidence, the same for all tests of one difference: |t| for
            equal degrees of freedom, else a p-value turned round.
    """

    sign: Int8[ndarray, "*tests"]
    strength: Numbers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Witness:
    """The tests that count.

    Attributes:
        soft: Whether the metric that stands for accuracy is asked; accuracy is, where not.
        sign: The sign that the test shows if it is strong enough; 0 where none can be shown.
        strength: Its strength: that of the weaker test, where two have to show it.
    """

    soft: Bool[ndarray, "*tests"]
    sign: Int8[ndarray, "*tests"]
    strength: Numbers


def sign_of(estimate: Numbers, resolution: float = 0.0) -> Int8[ndarray, "*tests"]:
    """The sign of an estimate; 0 where not even one prediction in a run is different.

    Rounding of rescaled logits to float16 makes and breaks a few ties: that is no agreement.

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
        accuracy: Those of accuracy, which count where the soft metric has another sign.
        soft: Those of the metric that stands for accuracy.
        guard: Those that have to show the soft metric's sign as well; None where none has to.

    >>> def of(sign, strength): return SignTest(sign=np.int8(sign), strength=strength)
    >>> found = witness(of(1, 1.2), of(1, 9.0), of(1, 4.0))
    >>> bool(found.soft), int(found.sign), float(found.strength)
    (True, 1, 4.0)
    >>> int(witness(of(1, 1.2), of(1, 9.0), of(-1, 4.0)).sign)
    0
    """
    agree = (accuracy.sign != 0) & (accuracy.sign == soft.sign)
    silent = np.zeros_like(agree) if guard is None else agree & (guard.sign != soft.sign)
    weaker = soft.strength if guard is None else np.minimum(soft.strength, guard.strength)
    return Witness(
        soft=agree,
        sign=np.where(silent, np.int8(0), accuracy.sign),
        strength=np.where(agree, weaker, accuracy.strength),
    )
