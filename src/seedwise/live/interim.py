"""The difference of two setups while their runs are still being made.

With a stopping rule this is what the rule saw at its last look. With fixed seeds it is a look
before the end: the interval that `compare` would give now, which must not be a reason to stop.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from seedwise.comparison import Rule, StoppingRule
from seedwise.comparison.copies import copies
from seedwise.comparison.metrics import (
    OwnMetric,
    ReturnedMetric,
    default_metric,
    direction_of,
    find_metric,
    names_code,
)
from seedwise.comparison.scores import metric_values
from seedwise.comparison.study_runs import StudyRuns
from seedwise.comparison.tasks import suite_metric
from seedwise.crops import usual_views
from seedwise.errors import SeedwiseError
from seedwise.live.events import over_tasks
from seedwise.live.snapshot import Interim, InterimDifference
from seedwise.records import RunRecord
from seedwise.seeds import Seed
from seedwise.stats.blocks import Logits, Targets
from seedwise.stats.catalog import BuiltInMetric
from seedwise.stats.intervals import paired_so_far
from seedwise.stats.moments import Moments
from seedwise.stats.sequential import Decision, Look, pairs_to_go
from seedwise.store import Store, StoredRun, logits_digest

__all__ = ["PairedSoFar", "interim_of"]


def interim_of(rule: StoppingRule, setup: str, decision: Decision) -> Interim:
    """The last look of a stopping rule at a candidate, of which there was one."""
    one, look = rule.for_one(), decision.trace[-1]
    return Interim(
        setup=setup,
        baseline=rule.baseline,
        pairs=decision.n,
        most=rule.stop.max_runs,
        state=decision.reason,
        verdict=decision.verdict,
        confidence=1 - one.alpha,
        margin=one.difference,
        more=pairs_to_go(one, decision) if decision.reason == "running" else None,
        differences=_seen(look, decision),
    )


def _seen(look: Look, decision: Decision) -> tuple[InterimDifference, ...]:
    found = {decision.judged: look.accuracy, "matched_accuracy": look.matched}
    return tuple(
        InterimDifference(metric=name, estimate=each.estimate, low=each.low, high=each.high)
        for name, each in sorted(found.items(), key=lambda item: item[0] != decision.metric)
        if each is not None
    )


class PairedSoFar:
    """The paired differences of a study with fixed seeds, kept up with as its runs end.

    A run costs its own metrics and no reading of the others. Metrics that are functions of the
    user's are left to the end: they may be slow, or fail.
    """

    def __init__(
        self, store: Store, rule: Rule, setups: Sequence[str], seeds: Iterable[Seed], baseline: str
    ) -> None:
        self._store, self._rule, self._baseline = store, rule, baseline
        self._candidates = [name for name in setups if name != baseline]
        self._setups, self._seeds = frozenset(setups), frozenset(seeds)
        self._metrics: tuple[BuiltInMetric | ReturnedMetric, ...] | None = None
        self._tasks: tuple[str, ...] = ()
        self._seen = set[tuple[str, tuple[int, ...] | None]]()
        self._values = dict[tuple[str, Seed], Sequence[float | None]]()
        self._moments = defaultdict[tuple[str, str], Moments](Moments)
        # Runs that share a stream are no sample: variance by source, which nobody compares.
        self._closed = rule.paired is False or len({seed.init for seed in self._seeds}) < len(
            self._seeds
        )
        if not self._closed:
            self._read()

    def now(self) -> list[Interim]:
        """Every candidate of which there is a pair."""
        return self._interims(self._candidates)

    def add(self, setup: str, seed: Seed, record: RunRecord) -> list[Interim]:
        """Take in a run that was just stored; what it changes."""
        known = setup in self._setups and seed in self._seeds
        if self._closed or not known or record.state == "failed":
            return []
        if self._metrics is None:
            self._read()
        elif self._is_copy(setup, record):
            return []
        else:
            self._take(setup, seed, self._of_record(record))
        changed = self._candidates if setup == self._baseline else [setup]
        paired = [self._baseline, *changed]
        there = [name for name in paired if (name, seed) in self._values]
        return self._interims(there[1:]) if there[:1] == [self._baseline] else []

    def _read(self) -> None:
        """Take in all that is stored. Which metrics there are, the first finished run says."""
        study = StudyRuns(self._store)
        runs = [
            run
            for run in study.all
            if run.setup in self._setups and run.seed in self._seeds and run.state != "failed"
        ]
        again = copies(runs)
        runs = [run for run in runs if run.id not in again]
        self._seen = {(run.setup, run.digest) for run in runs}
        finished = [run for run in runs if run.state == "finished"]
        if not finished:
            return
        dataset = study.dataset
        self._targets = None if dataset is None else dataset.targets
        self._classes = 0 if dataset is None else len(dataset.classes)
        try:
            self._metrics, known = self._measured(study, finished)
        except SeedwiseError:  # what cannot be compared is told by `compare`, at the end
            self._metrics, known = (), []
        chance = self._by_chance()
        for run in runs:
            values = [each.get(run.id) for each in known] if run.state == "finished" else chance
            self._take(run.setup, run.seed, values)

    def _measured(
        self, study: StudyRuns, finished: Sequence[StoredRun]
    ) -> tuple[tuple[BuiltInMetric | ReturnedMetric, ...], list[Mapping[int, float]]]:
        """The metrics that are looked at, and their values in each run: of a suite the means."""
        within = suite_metric(study, self._rule.metric)
        if within is None:
            metrics = _metrics(finished, self._rule)
            return metrics, [metric_values(study, str(each), finished) for each in metrics]
        if self._rule.over != "mean":  # no number of one pair: the end tells it
            return (), []
        self._tasks = study.tasks
        higher = direction_of(within, study.stated)
        metric = ReturnedMetric(name=within, higher_is_better=higher and higher == "higher")
        means = {run.id: over_tasks(run.metrics, self._tasks).get(within) for run in finished}
        return (metric,), [{run: value for run, value in means.items() if value is not None}]

    def _is_copy(self, setup: str, record: RunRecord) -> bool:
        """Tell whether a run has the predictions of one before it: such runs count once."""
        if record.logits is None:
            return False
        key = setup, logits_digest(record.logits)
        seen = key in self._seen
        self._seen.add(key)
        return seen

    def _of_record(self, record: RunRecord) -> Sequence[float | None]:
        """The metrics of a new run; None where it has not got one."""
        if record.state == "diverged":
            return self._by_chance()
        found = list[float | None]()
        for metric in self._metrics or ():
            if isinstance(metric, ReturnedMetric):
                found.append(over_tasks(record.metrics, self._tasks).get(metric.name))
            elif record.logits is None or self._targets is None:
                found.append(None)
            else:
                shown = metric.view_count or usual_views(record.views)
                found.append(_value(metric, record.logits[:shown], self._targets))
        return found

    def _by_chance(self) -> Sequence[float | None]:
        """The values that a diverged run counts as."""
        return [metric.chance(self._classes) for metric in self._metrics or ()]

    def _take(self, setup: str, seed: Seed, values: Sequence[float | None]) -> None:
        self._values[setup, seed] = values
        base = self._values.get((self._baseline, seed))
        for name in self._candidates if setup == self._baseline else [setup]:
            other = self._values.get((name, seed))
            if base is None or other is None:
                continue
            for metric, a, b in zip(self._metrics or (), base, other, strict=True):
                if a is not None and b is not None:
                    self._moments[name, str(metric)].add(b - a)

    def _interims(self, names: Iterable[str]) -> list[Interim]:
        found = [self._interim(name) for name in names]
        return [each for each in found if each is not None]

    def _interim(self, name: str) -> Interim | None:
        moments = {str(metric): self._moments[name, str(metric)] for metric in self._metrics or ()}
        if not any(each.n for each in moments.values()):
            return None
        confidence = self._rule.confidence
        return Interim(
            setup=name,
            baseline=self._baseline,
            pairs=max(each.n for each in moments.values()),
            most=len(self._seeds),
            state="early",
            verdict="undecided",
            confidence=confidence,
            margin=self._rule.margin,
            more=None,
            differences=tuple(
                _difference(metric, each, confidence) for metric, each in moments.items() if each.n
            ),
        )


def _metrics(
    finished: Sequence[StoredRun], rule: Rule
) -> tuple[BuiltInMetric | ReturnedMetric, ...]:
    """The metric that decides, and accuracy if it differs; no function of the user's."""
    main = rule.metric or default_metric(finished)
    names = [] if names_code(main, finished) else [main]
    if any(run.has_logits or "accuracy" in run.metrics for run in finished):
        names.append("accuracy")
    found = [find_metric(name, finished) for name in names]
    return tuple({str(each): each for each in found if not isinstance(each, OwnMetric)}.values())


def _value(metric: BuiltInMetric, logits: Logits, targets: Targets) -> float | None:
    try:
        return float(metric.values(logits, targets))
    except SeedwiseError:  # e.g. a view that this run has not: `compare` says so
        return None


def _difference(metric: str, moments: Moments, confidence: float) -> InterimDifference:
    found = paired_so_far(moments, confidence=confidence)
    return InterimDifference(
        metric=metric, estimate=found.estimate, low=found.low, high=found.high
    )
