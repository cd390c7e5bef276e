"""Words of the terminal: times, means with deviations, and text that commands nothing."""

import math
from collections.abc import Mapping

from seedwise.figures import count, printable, spread

__all__ = ["clock", "last_line", "mean_and_sd", "printable", "rows_line"]


def mean_and_sd(metric: str, n: int, mean: float, sd: float) -> str:
    """Mean ± standard deviation of n values of a metric.

    >>> mean_and_sd("accuracy", 2, 0.835, 0.005), mean_and_sd("accuracy", 1, 0.83, 0.0)
    ('83.50 ± 0.50', '83.00')
    """
    if n < 2:  # one run says nothing about how much runs differ
        return spread(metric, mean) if n else ""
    return f"{spread(metric, mean)} ± {spread(metric, sd)}"


def clock(seconds: float) -> str:
    """A duration as hours, minutes and seconds.

    >>> clock(17.4), clock(3725), clock(math.inf)
    ('00:17', '1:02:05', '-')
    """
    if not math.isfinite(seconds):
        return "-"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes:02}:{whole % 60:02}"


def last_line(text: str) -> str:
    r"""The last line of a traceback, which says what went wrong.

    >>> last_line("Traceback:\n  line 1\nValueError: no")
    'ValueError: no'
    """
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""


def rows_line(rows: Mapping[str, int]) -> str:
    """The rows of a study file that people count."""
    runs, setups = rows.get("runs", 0), rows.get("setups", 0)
    return f"{count(setups, 'setup')}, {count(runs, 'run')}, {rows.get('logits', 0):,} with logits"
