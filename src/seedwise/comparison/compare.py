"""Two setups under one metric, from the runs that are stored."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from seedwise.comparison.html import comparison_html
from seedwise.comparison.values import metric_values
from seedwise.errors import StudyError
from seedwise.seeds import Seed
from seedwise.stats.intervals import Difference, Sample, paired_difference, unpaired_difference
from seedwise.store import Store

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Setup B against setup A.

    Attributes:
        a: Name of setup A.
        b: Name of setup B.
        metric: Name of the metric.
        sample_a: The finished runs of A.
        sample_b: The finished runs of B.
        diverged: Diverged runs of A and of B.
        paired: B - A over the seeds that both ran; None where they share fewer than two.
        correlation: Of the paired runs; NaN below three pairs, or where all are equal.
        unpaired: B - A of all runs, as if the seeds had nothing in common.
    """

    a: str
    b: str
    metric: str
    sample_a: Sample
    sample_b: Sample
    diverged: tuple[int, int]
    paired: Difference | None
    correlation: float
    unpaired: Difference

    def _repr_html_(self) -> str:
        return comparison_html(self)


def compare(
    store: Store, a: str, b: str, *, metric: str = "accuracy", confidence: float = 0.95
) -> Comparison:
    """Compare two setups of a study.

    Raises:
        UnknownName: No such setup, or no such metric.
        StudyError: A setup has no finished run.
    """
    values_a, diverged_a = _values(store, a, metric)
    values_b, diverged_b = _values(store, b, metric)
    shared = sorted(values_a.keys() & values_b.keys())
    pairs_a, pairs_b = (_array(values, shared) for values in (values_a, values_b))
    all_a, all_b = (_array(values, sorted(values)) for values in (values_a, values_b))
    return Comparison(
        a=a,
        b=b,
        metric=metric,
        sample_a=Sample.of(all_a),
        sample_b=Sample.of(all_b),
        diverged=(diverged_a, diverged_b),
        paired=(
            paired_difference(pairs_a, pairs_b, confidence=confidence) if len(shared) > 1 else None
        ),
        correlation=_correlation(pairs_a, pairs_b),
        unpaired=unpaired_difference(all_a, all_b, confidence=confidence),
    )


def _values(store: Store, setup: str, metric: str) -> tuple[dict[Seed, float], int]:
    """The metric of each finished run by seed, and the number of diverged runs."""
    runs = store.runs(setup)
    if not any(run.state == "finished" for run in runs):
        raise StudyError(f"setup {setup!r} of {store.path} has no finished run; run it first")
    found = metric_values(store, metric, runs)
    by_seed = {run.seed: found[run.id] for run in runs if run.id in found}
    return by_seed, sum(run.state == "diverged" for run in runs)


def _array(values: dict[Seed, float], seeds: list[Seed]) -> Float64[ndarray, " seeds"]:
    return np.array([values[seed] for seed in seeds], dtype=np.float64)


def _correlation(a: Float64[ndarray, " seeds"], b: Float64[ndarray, " seeds"]) -> float:
    if len(a) < 3 or min(a.std(), b.std()) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
