"""Statements of a person about a table or logs; all else is guessed, or asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from seedwise.errors import ConfigError

__all__ = ["DUPLICATES", "Mapped"]

DUPLICATES = ("refuse", "last", "first")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """Columns and rows as a person states them; what is None or empty is guessed.

    Attributes:
        setup: Column that names the setup.
        seed: Column of the seed.
        metrics: Columns of metrics, with the names that these are to have.
        unpaired: Number the runs instead of reading seeds, so that no two setups share one.
        fold: Column of the fold of a cross-validation.
        task: Column of the dataset or task, each of which is a metric of its own.
        last: Of the rows of a run take the last.
        best: Of the rows of a run take the best by this metric.
        step: Of the rows of a run take the last up to this step or epoch.
        rows_are_runs: Each row is a run, whatever it looks like.
        test_ratio: Of folds, test examples for each training example; None for 1 / (folds - 1).
        wide: Each column of numbers is a setup; the name of the metric that they hold.
        format: Name of the importer.
        layout: Pattern of the paths of logs: `{setup}/seed{seed}`.
        duplicates: Of runs that are there several times take the last or the first.
        skip_incomplete: Leave out runs that end early, or lack a metric that most have.
        example: Column of the example: each row holds scores of one example in one run.
        group: Column of the group of an example, such as the passage of a question.
    """

    setup: str | None = None
    seed: str | None = None
    metrics: Mapping[str, str] = field(default_factory=dict[str, str])
    unpaired: bool = False
    fold: str | None = None
    task: str | None = None
    last: bool = False
    best: str | None = None
    step: float | None = None
    rows_are_runs: bool = False
    test_ratio: float | None = None
    wide: str | None = None
    format: str | None = None
    layout: str | None = None
    duplicates: Literal["refuse", "last", "first"] = "refuse"
    skip_incomplete: bool = False
    example: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        given = [flag for flag, on in self._ways() if on]
        if len(given) > 1:
            raise ConfigError(f"give one of {' and '.join(given)}, not both")
        if self.group is not None and self.example is None:
            raise ConfigError("--group belongs to rows of examples; give --example COLUMN too")
        others = (*given, *(["--fold"] if self.fold else []), *(["--task"] if self.task else []))
        if self.example is not None and others:
            raise ConfigError(f"give --example COLUMN or {others[0]}, not both")
        if self.unpaired and self.seed is not None:
            raise ConfigError("give --seed COLUMN or --unpaired, not both")
        if self.wide is not None and (self.setup is not None or self.metrics):
            raise ConfigError(
                "--wide says that columns are setups: leave --setup and --metric out"
            )

    def _ways(self) -> tuple[tuple[str, bool], ...]:
        """The ways to choose among the rows of a run, and whether each is meant."""
        return (
            ("--last", self.last),
            ("--best METRIC", self.best is not None),
            ("--step N", self.step is not None),
        )

    @property
    def chooses(self) -> bool:
        """True if it was said which row of a run counts."""
        return any(on for _, on in self._ways())
