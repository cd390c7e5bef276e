"""Looks at a paired t test after every pair, up to a known number of pairs: exact bounds.

Under a normal law with mean 0 the statistics T_n = S_n / sqrt(V_n), with S = sum d and
V = sum d^2, are a Markov chain of one number that knows no scale. V_n is complete and sufficient
for the variance, so it is independent of the scale-free T_1, ..., T_n (Basu), and with
tan(phi) = d_{n+1} / sqrt(V_n)

    T_{n+1} = T_n cos(phi) + sin(phi),    phi independent of the past, density ~ cos(phi)^(n-1)

on (-pi/2, pi/2). So the chance of crossing at each look is found by carrying a distribution from
look to look, without a simulation, for any level and any cap, in a fraction of a second.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import scipy
from numpy import ndarray

from seedwise.errors import UnknownName
from seedwise.shaped import Float64

__all__ = ["FIRST_LOOK", "SHAPES", "capped_bounds", "capped_bounds_unpaired", "crossing_rates"]

FIRST_LOOK = 3
"""Pairs at the first look. Two pairs give no spread: their t would have to reach 50."""

_CELLS = 150
"""Cells of the carried distribution: 300 or 600 change an overall level of 0.1 to 0.01 by at most
0.4 % of it, and one of 0.001 by 2 %. From 200 pairs on there are 11 sqrt(n), so that a cell stays
narrower than one step of T."""

_COARSE = 3
"""With so many times fewer cells the search for a constant level is nine times as fast; what they
get wrong is taken back afterwards."""

_CORRECTIONS = 2
"""So often is it taken back: one leaves up to 0.5 % of the level at four pairs, two 0.1 %."""

_FAR = 8.0
"""|T| beyond this has a chance below 1e-14."""

_ANGLES = np.linspace(-np.pi / 2, np.pi / 2, 2049)

_Tail = Callable[[float], float]
"""The chance that T reaches a value at this look, no bound having been crossed before."""


def _pocock(share: float, level: float) -> float:
    return level * np.log1p((np.e - 1) * share)


def _obrien_fleming(share: float, level: float) -> float:
    return float(2 * scipy.special.ndtr(scipy.special.ndtri(level / 2) / np.sqrt(share)))


_SPENDING: Mapping[str, Callable[[float, float], float]] = MappingProxyType(
    {"pocock": _pocock, "obrien-fleming": _obrien_fleming}
)
"""Share of a one-sided level that is spent by a share of the pairs (Lan and DeMets, 1983)."""

SHAPES = ("constant", *_SPENDING)
"""`constant` gives every look the same nominal level."""


def capped_bounds(cap: int, alpha: float, shape: str = "constant") -> Float64[ndarray, " cap"]:
    """The t at which to stop after n = 1 to `cap` pairs, looking after each from the third on.

    Under normal differences with mean 0, t ever reaches its bound from below with probability
    alpha / 2, and from above likewise: together at most alpha.

    Args:
        cap: Most pairs, 3 or more for a bound at all.
        alpha: Two-sided level of all looks together, in (0, 1).
        shape: One of `SHAPES`. At equal levels `constant` needs the fewest pairs on average for
            standardised effects from 1 to 3: 8.4 pairs at 1.35 with cap 40, against 9.0 (pocock)
            and 14.4 (obrien-fleming), whose power at the cap is higher by 1 to 4 points at 0.75.

    Returns:
        Infinity before the third pair, and where a shape spends nothing yet. Read-only: it is
        computed once for each cap, level and shape.

    Raises:
        UnknownName: No such shape.
    """
    if shape not in SHAPES:
        raise UnknownName("shape of bounds", shape, SHAPES)
    return _bounds(cap, alpha / 2, shape)


@lru_cache(maxsize=256)
def capped_bounds_unpaired(cap: int, alpha: float) -> Float64[ndarray, " cap"]:
    """The same for the two-sample t of as many unrelated runs of each setup.

    Each look has the nominal level that it has for pairs, at 2(n - 1) degrees of freedom. That is
    on the safe side, as with more of them t changes less from look to look.

    Args:
        cap: Most runs of each setup, 3 or more for a bound at all.
        alpha: Two-sided level of all looks together, in (0, 1).

    Returns:
        As of `capped_bounds`.
    """
    bounds = capped_bounds(cap, alpha)
    freedom = np.maximum(np.arange(cap), 1)
    finite = np.isfinite(bounds)
    level = scipy.special.stdtr(freedom, -np.where(finite, bounds, 0.0))
    found = np.where(finite, -scipy.special.stdtrit(2 * freedom, level), np.inf)
    found.flags.writeable = False
    return found


def crossing_rates(
    bounds: Float64[ndarray, " cap"], *, coarser: int = 1
) -> Float64[ndarray, " cap"]:
    """The chance that t first reaches its bound from below at each look, under mean 0.

    Args:
        bounds: For n = 1, 2, ... pairs, above 0; infinity where nothing is looked at.
        coarser: Take so many times fewer cells.
    """
    limits = _as_limits(bounds)
    carried = _carry(len(bounds), lambda n, _: limits[n - 1], coarser)
    return np.array([rate for _, rate in carried])


@lru_cache(maxsize=256)
def _bounds(cap: int, level: float, shape: str) -> Float64[ndarray, " cap"]:
    if cap < FIRST_LOOK:
        found = np.full(cap, np.inf)
    else:
        found = _constant(cap, level) if shape == "constant" else _spent(cap, level, shape)
    found.flags.writeable = False
    return found


def _constant(cap: int, level: float) -> Float64[ndarray, " cap"]:
    def solved(target: float) -> Float64[ndarray, " cap"]:
        # Between Bonferroni and no correction at all, with room for the cells.
        log_nominal = scipy.optimize.brentq(
            lambda x: crossing_rates(_nominal(cap, x), coarser=_COARSE).sum() - target,
            np.log(level / cap) - 0.5,
            min(np.log(level) + 0.5, np.log(0.499)),
            xtol=1e-4,
        )
        return _nominal(cap, float(log_nominal))

    target = level
    for _ in range(_CORRECTIONS):
        target *= level / float(crossing_rates(solved(target)).sum())
    return solved(target)


def _nominal(cap: int, log_level: float) -> Float64[ndarray, " cap"]:
    """Bounds of the same one-sided nominal level at every look."""
    n = np.arange(1, cap + 1)
    reached = -scipy.special.stdtrit(np.maximum(n - 1, 1), np.exp(log_level))
    return np.where(n < FIRST_LOOK, np.inf, reached)


def _spent(cap: int, level: float, shape: str) -> Float64[ndarray, " cap"]:
    spending = _SPENDING[shape]
    spent = 0.0

    def limit(n: int, tail: _Tail) -> float:
        nonlocal spent
        here = spending(n / cap, level) - spent
        most = np.sqrt(n) * (1 - 1e-13)
        if n < FIRST_LOOK or here < 1e-9 or tail(most) > here:
            return np.inf
        spent += here
        return float(scipy.optimize.brentq(lambda b: tail(b) - here, 0.0, most, xtol=1e-10))

    limits = np.array([found for found, _ in _carry(cap, limit)])
    n = np.arange(1, cap + 1)
    open_ = np.isfinite(limits)
    square = np.where(open_, limits, 0.0) ** 2
    return np.where(open_, np.sqrt(square * (n - 1) / (n - square)), np.inf)


def _as_limits(bounds: Float64[ndarray, " cap"]) -> Float64[ndarray, " cap"]:
    """Bounds of t as bounds of T, which is at most sqrt(n)."""
    n = np.arange(1, len(bounds) + 1)
    known = np.where(np.isfinite(bounds), bounds, 0.0)
    limits = known * np.sqrt(n / np.maximum(n - 1 + known**2, 1e-300))
    return np.where(np.isfinite(bounds), limits, np.inf)


def _carry(
    cap: int, limit: Callable[[int, _Tail], float], coarser: int = 1
) -> list[tuple[float, float]]:
    """Bound of T and chance of first reaching it at each look.

    The distribution of T among the paths that have crossed nothing is kept as masses at the
    middles of cells; each look moves every mass exactly, by the distribution function of phi.
    """
    found = [(np.inf, 0.0)] * (FIRST_LOOK - 1)

    def beyond(value: Float64[ndarray, " edges"] | float) -> Float64[ndarray, " edges"]:
        # The direction of three normal numbers is a point on a sphere, so that T_3 is uniform.
        return np.clip(0.5 - np.asarray(value) / 2 / np.sqrt(3), 0, 1)

    for n in range(FIRST_LOOK, cap + 1):
        bound = limit(n, lambda value, beyond=beyond: float(beyond(value)))
        farthest = min(float(np.sqrt(n)), _FAR)
        found.append((bound, float(beyond(bound)) if bound <= farthest else 0.0))
        cells = max(_CELLS, int(11 * np.sqrt(n))) // coarser
        # Closer together at the ends: of the first looks, only the last few cells ever cross.
        top, at = min(bound, farthest), np.cos(np.linspace(np.pi, 0, cells + 1))
        edges = (top - farthest + (top + farthest) * at) / 2
        beyond = _TailChance(n, (edges[1:] + edges[:-1]) / 2, -np.diff(beyond(edges)))
    return found


class _TailChance:
    """The chance that T_{n+1} is above a value, from masses at values of T_n."""

    def __init__(
        self, n: int, points: Float64[ndarray, " cells"], masses: Float64[ndarray, " cells"]
    ) -> None:
        self._below = _below(n)
        self._psi, self._length, self._masses = np.arctan(points), np.hypot(1, points), masses

    def __call__(self, value: Float64[ndarray, " edges"] | float) -> Float64[ndarray, " edges"]:
        """T_{n+1} = sqrt(1 + T^2) sin(phi + psi), tan(psi) = T: above it on up to two arcs."""
        at = np.arcsin(np.clip(np.asarray(value)[..., None] / self._length, -1, 1))
        arcs = self._share(np.pi - at) - self._share(at) + self._share(-np.pi - at)
        return arcs @ self._masses

    def _share(self, angle: Float64[ndarray, "edges cells"]) -> Float64[ndarray, "edges cells"]:
        return np.interp(angle - self._psi, _ANGLES, self._below, left=0.0, right=1.0)


@lru_cache(maxsize=256)
def _below(n: int) -> Float64[ndarray, " angles"]:
    """Distribution function of phi at `_ANGLES`; half of the time of a short search went here."""
    half = scipy.special.betainc(0.5, n / 2, np.sin(_ANGLES) ** 2) / 2
    return 0.5 + np.copysign(half, _ANGLES)
