"""Runs that are no draws of their own: they share a seed with another run, or are it again."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, islice

import numpy as np

from seedwise.seeds import STREAMS
from seedwise.store import Store, StoredRun

__all__ = ["copies", "independent_runs", "with_own_scores", "with_own_seeds"]

_FEWEST = 5
"""Examples that must not have the commonest score, if runs that all agree are to be one run: of a
setup that gets everything right, all runs are alike and yet their own."""

_CHANCE = 1e-4
"""Chance at which runs that happen to agree on every example are no longer believed in."""

_MOST = 8
"""Different runs from which it is known how much runs differ."""


def independent_runs(runs: Iterable[StoredRun]) -> list[StoredRun]:
    """As many of some runs as share no seed, predictions or scores with one another.

    Two trainings that differ by a seed do not end in the same bits: where they do, the seed was
    not used, or one run was recorded twice. Such runs count once.
    """
    found = with_own_seeds(runs)
    again = copies(found)
    return [run for run in found if run.id not in again]


def copies(runs: Iterable[StoredRun]) -> frozenset[int]:
    """The ids of runs that are, bit for bit, an earlier one of the setup.

    They have its predictions, or without any its scores (as `with_own_scores` leaves them).
    """
    seen, found = set[tuple[object, ...]](), set[int]()
    for run in sorted(runs, key=lambda run: run.id):
        if run.content is not None:
            key = (run.setup, run.content)
            found |= {run.id} if key in seen else set()
            seen.add(key)
    return frozenset(found)


def with_own_scores(store: Store, runs: Sequence[StoredRun]) -> Iterator[StoredRun]:
    """Runs without the digest of their scores, where these may agree by chance.

    Two runs of 0 and 1 on few questions agree at times, as two runs' predictions never do. That
    their scores are one run's is taken for granted if other runs of the setup differ so much that
    chance explains it in less than 1 of 10,000 (with d examples on which two runs differ on
    average, in less than exp(-d)); or if all runs agree, on five examples or more that have not
    the commonest score.

    Args:
        store: The study.
        runs: All of its runs.
    """
    setups = dict[str, dict[object, list[StoredRun]]]()
    for run in runs:
        if run.scored_digest is not None:
            setups.setdefault(run.setup, {}).setdefault(run.scored_digest, []).append(run)
    doubtful = {
        name
        for name, groups in setups.items()
        if any(len(group) > 1 for group in groups.values())
        and not _beyond_chance(store, [group[0] for group in groups.values()])
    }
    for run in runs:
        yield replace(run, scored_digest=None) if run.setup in doubtful else run


def _beyond_chance(store: Store, different: Sequence[StoredRun]) -> bool:
    """True if runs that agree on every example are one run, from the setup's different ones."""
    metrics = frozenset.intersection(*(run.scored for run in different))
    ids = [run.id for run in islice(different, _MOST)]
    read = (store.scores(metric, ids) for metric in metrics)
    tables = [table for table in read if table is not None]
    if len(different) == 1:
        rows = [np.unique(table[0], return_counts=True)[1] for table in tables]
        return any(int(counts.sum() - counts.max()) >= _FEWEST for counts in rows)
    apart = [
        np.mean([(one != other).sum() for one, other in combinations(table, 2)])
        for table in tables
    ]
    return float(max(apart, default=0.0)) >= -math.log(_CHANCE)


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
