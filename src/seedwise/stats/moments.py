"""Mean and standard deviation of numbers that come one by one, without keeping them."""

import math

__all__ = ["Moments"]


class Moments:
    """What is known of the numbers so far.

    Source: Welford (1962), "Note on a method for calculating corrected sums of squares and
    products"; it loses no digits where the spread is small beside the mean.

    >>> some = Moments([0.25, 0.75])
    >>> some.add(0.5)
    >>> some.n, some.mean, some.sd, some.sd0 == (0.125 / 3) ** 0.5
    (3, 0.5, 0.25, True)
    """

    def __init__(self, values: "list[float] | tuple[float, ...]" = ()) -> None:
        self.n = 0
        self.mean = math.nan
        self._squares = 0.0
        for value in values:
            self.add(value)

    def add(self, value: float) -> None:
        """One number more."""
        self.n += 1
        if self.n == 1:
            self.mean = value
            return
        before = value - self.mean
        self.mean += before / self.n
        self._squares += before * (value - self.mean)

    @property
    def sd(self) -> float:
        """Standard deviation with ddof 1; NaN below two numbers."""
        return math.sqrt(self._squares / (self.n - 1)) if self.n > 1 else math.nan

    @property
    def sd0(self) -> float:
        """Standard deviation with ddof 0; NaN for none."""
        return math.sqrt(self._squares / self.n) if self.n else math.nan
