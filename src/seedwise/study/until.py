"""End of a study: its seeds, or a rule that decides."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Self

from seedwise.comparison import Stop, StoppingRule
from seedwise.errors import ConfigError, UnknownName
from seedwise.seeds import Seed
from seedwise.study.seeding import SeedsLike, as_seeds

__all__ = ["Until"]

_FIRST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """End of a study: its seeds, or a rule that decides.

    Attributes:
        seeds: The seeds; none where a rule decides.
        stopping: The rule; None where the seeds are named.
        planned: The seeds of the whole study, of which `seeds` are a part; as a rule the same.
        baseline: The setup that the others are compared with.
    """

    seeds: tuple[Seed, ...]
    stopping: StoppingRule | None
    planned: tuple[Seed, ...]
    baseline: str

    @property
    def needed(self) -> tuple[Seed, ...]:
        """The seeds that may be needed: of a rule without a cap the first thousand."""
        if self.stopping is None:
            return self.seeds
        return tuple(islice(self.stopping.seeds(), _FIRST))

    @classmethod
    def of(
        cls,
        setups: Iterable[str],
        seeds: SeedsLike | None,
        stop: Stop | None,
        baseline: str | None,
        planned: SeedsLike | None,
    ) -> Self:
        """The seeds, or none and the rule by which the others are compared with the baseline.

        Raises:
            ConfigError: No setup; neither or both of `seeds` and `stop`; seeds that are not
                among those planned.
            UnknownName: The baseline is none of the setups.
        """
        names = tuple(setups)
        if not names:
            raise ConfigError("a study needs at least one setup, got none")
        base = baseline or names[0]
        if base not in names:
            raise UnknownName("setup", base, names)
        if seeds is not None and stop is None:
            wanted = as_seeds(seeds)
            whole = wanted if planned is None else as_seeds(planned)
            if not set(wanted) <= set(whole):
                raise ConfigError("seeds must be some of those planned for the whole study")
            return cls(seeds=wanted, stopping=None, planned=whole, baseline=base)
        if stop is None or seeds is not None:
            both = "neither" if seeds is None else "both"
            raise ConfigError(f"give either seeds=10 or until=Stop(difference=0.005), got {both}")
        others = tuple(name for name in names if name != base)
        rule = StoppingRule(stop=stop, baseline=base, candidates=others)
        return cls(seeds=(), stopping=rule, planned=(), baseline=base)
