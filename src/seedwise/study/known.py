"""Runs of a table that a study has already."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from seedwise.errors import ConfigError
from seedwise.store import StoredRun

__all__ = ["already_there", "result_of"]

Result = tuple[str, tuple[tuple[str, float | None], ...]]
"""A setup's name and its metrics, sorted; None for one that was not finite."""

_DIGITS = 6
"""Equal figures of so many digits together are not a coincidence."""


def result_of(setup: str, metrics: Mapping[str, float], not_finite: Iterable[str]) -> Result:
    """Key of a run where seeds are not read."""
    values = {**metrics, **dict.fromkeys(not_finite)}
    return setup, tuple(sorted(values.items()))


def already_there(
    new: Sequence[Result], stored: Sequence[StoredRun], *, apart: bool = False
) -> list[bool]:
    """Mask of the runs without seeds that the study has already.

    Args:
        new: The runs that were read.
        stored: The runs of the study.
        apart: Whether those that were read are known to be runs of their own.

    Raises:
        ConfigError: Some of them are there, or twice in the table, and nobody can say whether
            these are the same.
    """
    there = Counter(result_of(run.setup, run.metrics, run.not_finite) for run in stored)
    again = new and min(Counter(new).values()) > 1
    doubled = again or any(count > 1 and _telling(one) for one, count in Counter(new).items())
    if doubled and not apart:
        twice = next(one for one, count in Counter(new).items() if count > 1)
        raise ConfigError(
            f"rows are there twice, such as {_words(twice)}; leave one of them out, or give "
            "--rows-are-runs if each is a run of its own"
        )
    left, found = there.copy(), list[bool]()
    for one in new:
        found.append(left[one] > 0)
        left[one] -= found[-1]
    of_setups = {setup for setup, _ in new}
    longer = not any(
        count > 0 and one[0] in of_setups for one, count in left.items()
    )  # all that is stored of these setups is in the table
    if all(found) or (longer and sum(found) > 1) or not any(found):
        return found
    same = [one for one, known in zip(new, found, strict=True) if known]
    if 2 * len(same) < len(new) and not any(map(_telling, same)):
        return [False] * len(new)
    raise ConfigError(
        f"{len(same)} of {len(new)} rows are in the study already, such as {_words(same[0])}; "
        "leave them out, or give --rows-are-runs if they are runs of their own"
    )


def _telling(one: Result) -> bool:
    digits = sum(len(repr(value).replace(".", "").strip("-0")) for _, value in one[1])
    return digits >= _DIGITS


def _words(one: Result) -> str:
    setup, values = one
    return f"{setup} with " + ", ".join(f"{name} {value}" for name, value in values[:3])
