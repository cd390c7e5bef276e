"""What a study still has to do: the runs that are wanted, less those that are stored."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from seedwise.errors import ConfigError
from seedwise.live.events import Planned
from seedwise.seeds import Seed

__all__ = ["Plan", "Wanted", "as_seeds"]

SeedsLike = int | Iterable[int | tuple[int, int, int] | Seed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A run that is asked for, by the name of its setup."""

    setup: str
    seed: Seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All runs of a study, in the order in which they are made.

    The order goes seed by seed through all setups, so that a study that is stopped early holds
    complete pairs.

    Attributes:
        setups: The names of the setups.
        runs: Every run that is asked for.
        stored: How many of them were in the study already.
        missing: The others.
    """

    setups: tuple[str, ...]
    runs: tuple[Wanted, ...]
    stored: int
    missing: tuple[Wanted, ...]

    @classmethod
    def of(
        cls,
        setups: Sequence[str],
        seeds: Sequence[Seed],
        *,
        stored: Collection[tuple[str, Seed]],
    ) -> "Plan":
        """The plan for each setup with each seed, where `stored` are there already.

        >>> plan = Plan.of(["a", "b"], as_seeds(2), stored={("a", Seed.of(0))})
        >>> [f"{run.setup}{run.seed}" for run in plan.missing]
        ['b0', 'a1', 'b1']
        """
        runs = tuple(Wanted(setup=setup, seed=seed) for seed in seeds for setup in setups)
        missing = tuple(run for run in runs if (run.setup, run.seed) not in stored)
        stored_runs = len(runs) - len(missing)
        return cls(setups=tuple(setups), runs=runs, stored=stored_runs, missing=missing)

    def as_event(self) -> Planned:
        """What there is to tell of it."""
        return Planned(setups=self.setups, wanted=len(self.runs), stored=self.stored)


def as_seeds(seeds: SeedsLike) -> tuple[Seed, ...]:
    """Seeds 0 to n - 1 for a number n, or the seeds that are listed.

    Raises:
        ConfigError: There is none, one comes twice, or one is not a seed.

    >>> [str(seed) for seed in as_seeds([4, (1, 2, 3)])]
    ['4', '1/2/3']
    """
    listed = tuple(Seed.of(seed) for seed in (range(seeds) if isinstance(seeds, int) else seeds))
    if not listed:
        raise ConfigError(f"at least one seed is needed, got {seeds!r}")
    if len(set(listed)) < len(listed):
        twice = next(seed for seed in listed if listed.count(seed) > 1)
        raise ConfigError(f"seed {twice} is listed twice; name each seed once")
    return listed
