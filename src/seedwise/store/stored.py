"""Values that a study file gives back about itself and its runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from seedwise.records import EpochRecord, State
from seedwise.seeds import Seed

__all__ = ["StoredRepeat", "StoredRun", "StudyFacts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFacts:
    """Origin of a study file.

    Attributes:
        created: When, in UTC.
        seedwise: Version of the program that made it.
    """

    created: datetime
    seedwise: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredRun:
    """A run as the study keeps it, without its logits.

    Attributes:
        id: Number of the run in its study; never used twice.
        setup: Name of its setup.
        seed: Its seed.
        state: `finished`, `diverged` or `failed`.
        seconds: Wall time of the run.
        epochs: The figures after each epoch, in order.
        metrics: Plain metric values of a run that came without logits; all finite.
        views: What each view of its logits shows; empty for a run without logits.
        made_by: How it was made: machine, device, versions, threads, kernels.
        error: What went wrong in a diverged or failed run.
        ended_at: When it ended, in UTC.
        digest: Of its logits: equal for equal ones; None for a run without.
        not_finite: Names of the metrics whose value was infinite or NaN: under these it diverged.
        scored: The metrics of which the study has a score for each example.
        scored_digest: Of these scores, likewise.
    """

    id: int
    setup: str
    seed: Seed
    state: State
    seconds: float
    epochs: tuple[EpochRecord, ...]
    metrics: Mapping[str, float]
    views: tuple[str, ...]
    made_by: Mapping[str, Any]
    error: str | None
    ended_at: datetime
    digest: tuple[int, ...] | None = None
    not_finite: tuple[str, ...] = ()
    scored: frozenset[str] = frozenset()
    scored_digest: tuple[object, ...] | None = None

    @property
    def content(self) -> tuple[object, ...] | None:
        """Digest of what it says of each example: its logits, or without any its scores."""
        return self.digest or self.scored_digest

    @property
    def has_logits(self) -> bool:
        """True if the study has the run's predictions."""
        return bool(self.views)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredRepeat:
    """A run that was trained again, without its logits. Setup and seed are those of the run.

    Attributes:
        id: Number of the repeat in its study; never used twice.
        run: Number of the run that was repeated.
        state: `finished` or `diverged`.
        seconds: Wall time of the repeat.
        epochs: The figures after each epoch, in order.
        metrics: Plain metric values of a repeat that came without logits.
        views: What each view of its logits shows; empty for a repeat without logits.
        made_by: How it was made.
        error: What went wrong in a diverged one.
        ended_at: When it ended, in UTC.
    """

    id: int
    run: int
    state: State
    seconds: float
    epochs: tuple[EpochRecord, ...]
    metrics: Mapping[str, float]
    views: tuple[str, ...]
    made_by: Mapping[str, Any]
    error: str | None
    ended_at: datetime

    @property
    def has_logits(self) -> bool:
        """True if the study has the repeat's predictions."""
        return bool(self.views)
