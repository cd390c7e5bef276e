"""Runs that are a random sample: no two share a seed of any stream, or their predictions."""

from collections.abc import Iterable

from seedwise.seeds import STREAMS
from seedwise.store import StoredRun

__all__ = ["copies", "independent_runs", "with_own_seeds"]


def independent_runs(runs: Iterable[StoredRun]) -> list[StoredRun]:
    """As many of some runs as share no seed and no predictions with one another.

    Two trainings that differ by a seed do not end in the same bits: where they do, the seed was
    not used, or one run was recorded twice. Such runs count once.
    """
    found = with_own_seeds(runs)
    again = copies(found)
    return [run for run in found if run.id not in again]


def copies(runs: Iterable[StoredRun]) -> frozenset[int]:
    """The ids of runs whose predictions are, bit for bit, those of an earlier one of the setup."""
    seen, found = set[tuple[object, ...]](), set[int]()
    for run in sorted(runs, key=lambda run: run.id):
        if run.digest is not None:
            key = (run.setup, run.digest)
            found |= {run.id} if key in seen else set()
            seen.add(key)
    return frozenset(found)


def with_own_seeds(runs: Iterable[StoredRun]) -> list[StoredRun]:
    """As many of some runs as share no seed of any stream with one another.

    Runs with crossed seeds (`seedwise run --sources`) share initial weights, order or
    augmentation: sixteen of them are not sixteen draws, and no t test may take them for that.
    Runs whose three seeds are equal are taken first, then the others, each by rising seed.

    >>> from types import SimpleNamespace
    >>> from seedwise.seeds import Seed
    >>> runs = [SimpleNamespace(seed=Seed.of(s)) for s in ((0, 0, 1), 1, 0, (2, 3, 4))]
    >>> [str(run.seed) for run in with_own_seeds(runs)]
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
