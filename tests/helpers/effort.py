"""CPU time as a multiple of fixed work that is timed beside it, for machines slow and loaded."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Effort", "effort"]


@dataclass(slots=True)
class Effort:
    """CPU time taken, in units of the fixed work, which is about 0.03 s; known at the end."""

    units: float = float("nan")


@contextmanager
def effort() -> Generator[Effort]:
    """Measure what is done inside.

    The unit is timed before and after, and the slower one counts. A bound has wide room, 10 times
    of what is seen: it is for work that grows beyond all bounds, not for a tenth more.
    """
    found, before = Effort(), _unit()
    began = time.process_time()
    try:
        yield found
    finally:
        taken = time.process_time() - began
        found.units = taken / max(before, _unit())


def _unit() -> float:
    began = time.process_time()
    sum(number * number for number in range(500_000))
    return time.process_time() - began
