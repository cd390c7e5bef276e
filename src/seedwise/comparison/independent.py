"""Runs that are a random sample: no two of them share a seed of any stream."""

from collections.abc import Iterable

from seedwise.seeds import STREAMS
from seedwise.store import StoredRun

__all__ = ["independent_runs", "sharing_note"]


def independent_runs(runs: Iterable[StoredRun]) -> list[StoredRun]:
    """As many of some runs as share no seed of any stream with one another.

    Runs with crossed seeds (`seedwise run --sources`) share initial weights, order or
    augmentation: sixteen of them are not sixteen draws, and no t test may take them for that.
    Runs whose three seeds are equal are taken first, then the others, each by rising seed.

    >>> from types import SimpleNamespace
    >>> from seedwise.seeds import Seed
    >>> runs = [SimpleNamespace(seed=Seed.of(s)) for s in ((0, 0, 1), 1, 0, (2, 3, 4))]
    >>> [str(run.seed) for run in independent_runs(runs)]
    ['0', '1', '2/3/4']
    """

    def rank(run: StoredRun) -> tuple[bool, int, int, int]:
        seed = run.seed
        return not seed.init == seed.order == seed.augment, seed.init, seed.order, seed.augment

    used: dict[str, set[int]] = {stream: set() for stream in STREAMS}
    found: list[StoredRun] = []
    for run in sorted(runs, key=rank):
        numbers = {stream: getattr(run.seed, stream) for stream in STREAMS}
        if all(number not in used[stream] for stream, number in numbers.items()):
            found.append(run)
            for stream, number in numbers.items():
                used[stream].add(number)
    return found


def sharing_note(setup: str, sharing: int) -> str:
    """Why runs are missing from a figure.

    >>> sharing_note("mish", 25)[:44]
    'Left out: 25 of mish for a seed that they sh'
    """
    return (
        f"Left out: {sharing:,} of {setup} for a seed that they share with another run (crossed "
        "seeds). They are no independent sample; `seedwise variance` uses them."
    )
