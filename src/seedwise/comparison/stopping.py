"""Decisions of a study's stopping rule on its stored runs, pair by pair, in seed order."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy import ndarray

from seedwise.comparison.copies import copies
from seedwise.comparison.metrics import (
    accuracy_over,
    direction_of,
    is_over_views,
    more_views,
    unsettled,
)
from seedwise.comparison.scores import metric_values
from seedwise.comparison.stop import StoppingRule
from seedwise.comparison.study_runs import (
    StudyRuns,
    all_have_logits,
    metrics_of_all,
    metrics_of_any,
    places_of_results,
    results_by_seed,
)
from seedwise.crops import usual_views
from seedwise.errors import StudyError, Unsettled
from seedwise.figures import in_points
from seedwise.seeds import Seed
from seedwise.shaped import Float64
from seedwise.stats.decision import Interval, Outcome
from seedwise.stats.sequential import Decision, Pairs, decide
from seedwise.stats.suites import FOR_STANDARDISED, run_units
from seedwise.store import StoredRun

__all__ = [
    "TRIES",
    "Stopped",
    "decisions",
    "differences",
    "left_out",
    "stopped",
]


TRIES = 3
"""A run that failed so often, while a later run of its setup succeeded, is left out for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Decision of a study's stopping rule on one of its candidates.

    Attributes:
        rule: The rule, fixed before the first run.
        candidate: The setup that is compared with the rule's baseline.
        decision: What is decided, or why nothing is yet; better and worse are the candidate's.
    """

    rule: StoppingRule
    candidate: str
    decision: Decision

    def outcome(self, setup: str) -> Outcome:
        """The verdict on the candidate or, turned round, on the baseline."""
        verdict = self.decision.verdict
        if setup == self.candidate or verdict not in ("better", "worse"):
            return verdict
        return "worse" if verdict == "better" else "better"


def stopped(
    study: StudyRuns, pairs: Iterable[tuple[str, str]]
) -> Mapping[tuple[str, str], Stopped]:
    """Decisions of a study's rule on those of some pairs that it is about, either way round."""
    rule = StoppingRule.of(study)
    if rule is None:
        return {}
    of_rule = {
        (a, b): b if a == rule.baseline else a
        for a, b in pairs
        if {a, b} in ({rule.baseline, name} for name in rule.candidates)
    }
    found = decisions(study, rule) if of_rule else {}
    return {
        pair: Stopped(rule=rule, candidate=name, decision=found[name])
        for pair, name in of_rule.items()
    }


def decisions(study: StudyRuns, rule: StoppingRule) -> Mapping[str, Decision]:
    """Decisions of the rule on each candidate.

    A look takes the pairs of seeds 0 to k - 1, each complete: in which order machines finish does
    not matter, and runs beyond the stop are not looked at. A diverged run counts as accuracy by
    chance; better and equivalent are withheld where the verdict would be another without the pairs
    of diverged runs and of runs far from the rest. A pair with a run that is `left_out` is
    skipped.

    Args:
        study: The open study.
        rule: Its rule; `StoppingRule.of` reads it.

    Returns:
        By the candidate's name.

    Raises:
        StudyError: The runs have neither predictions, a metric `accuracy` nor the one to judge.
        Unsettled: Nobody said which way the metric to judge points.
    """
    out = left_out(study.all)
    baseline, *others = (
        results_by_seed(study.by_setup.get(name, ())) for name in (rule.baseline, *rule.candidates)
    )
    return {
        name: _decision(study, rule, name, baseline, candidate, out)
        for name, candidate in zip(rule.candidates, others, strict=True)
    }


def left_out(runs: Sequence[StoredRun]) -> frozenset[tuple[str, Seed]]:
    """Setup and seed of the runs that are tried no more.

    They have failed `TRIES` times, and their setup was trained with success after that: what is
    wrong is wrong with them. This is read from what is stored, so that it is the same after a
    restart, and never taken back. Neither do runs count that have the predictions of an earlier
    one of their setup.
    """
    failed = Counter[tuple[str, Seed]]()
    out = set[tuple[str, Seed]]()
    for run in runs:
        key = (run.setup, run.seed)
        if run.state == "failed":
            failed[key] += 1
        else:
            del failed[key]
            out |= {bad for bad, times in failed.items() if bad[0] == run.setup and times >= TRIES}
    again = copies(run for run in runs if run.state != "failed")
    return frozenset(out | places_of_results(run for run in runs if run.id in again))


def _decision(
    study: StudyRuns,
    rule: StoppingRule,
    name: str,
    baseline: Mapping[Seed, StoredRun],
    candidate: Mapping[Seed, StoredRun],
    out: frozenset[tuple[str, Seed]],
) -> Decision:
    pairs = list[tuple[StoredRun, StoredRun]]()
    whole = True
    for seed in rule.seeds():
        if (rule.baseline, seed) in out or (name, seed) in out:
            continue
        if seed not in baseline or seed not in candidate:
            whole = False
            break
        pairs.append((baseline[seed], candidate[seed]))
    finished = [run for pair in pairs for run in pair if run.state == "finished"]
    tasks = study.tasks if rule.stop.metric not in metrics_of_any(finished) else ()
    judge = _judged_over_tasks if tasks else _judged
    judged, sign = judge(study, rule.stop.metric, finished)
    metrics = [f"{task}/{judged}" for task in tasks] or [judged]
    decision = decide(
        rule.for_one(),
        _over_tasks(study, pairs, metrics, sign, standardised=rule.standardised)
        if tasks
        else differences(study, pairs, judged, sign),
        diverged=np.array(
            [
                any(
                    run.state == "diverged" or not set(metrics).isdisjoint(run.not_finite)
                    for run in pair
                )
                for pair in pairs
            ],
            bool,
        ),
    )
    decision = replace(decision, tasks=len(tasks))
    if whole and decision.reason == "running":  # pairs that were left out used up the seeds
        decision = replace(decision, reason="cap")
    if rule.standardised:
        return _in_own_unit(decision, f"{judged} in standard deviations", sign)
    return decision if judged == "accuracy" else _in_own_unit(decision, judged, sign)


def _judged(study: StudyRuns, said: str | None, finished: Sequence[StoredRun]) -> tuple[str, int]:
    """The metric that is judged, and -1 where lower is better.

    Raises:
        Unsettled: Nobody said which way it points.
        StudyError: The runs have neither accuracy nor one metric that all have.
    """
    if said in (None, "accuracy", "matched_accuracy"):
        without = [run for run in finished if not run.has_logits]
        if not without:
            return accuracy_over(finished) if said is None else "accuracy", 1
        if "accuracy" in metrics_of_all(without):
            return "accuracy", 1
        names = set(metrics_of_any(finished))
        if len(names) > 1:
            raise StudyError(
                f"{study.path} cannot be stopped by a rule: not all runs have accuracy, but "
                f"{', '.join(sorted(names))}; a training function must return predictions and "
                "targets, or {'accuracy': 0.93}, or [stop] must name what it judges: metric = NAME"
            )
        said = names.pop()
    assert said is not None
    return said, _sign(study, said)


def _sign(study: StudyRuns, metric: str) -> int:
    way = direction_of(metric, study.stated)
    if way is None:
        raise Unsettled(unsettled(metric))
    return 1 if way == "higher" else -1


def _judged_over_tasks(
    study: StudyRuns, said: str | None, finished: Sequence[StoredRun]
) -> tuple[str, int]:
    """The metric that is judged within each task, and -1 where lower is better.

    Raises:
        Unsettled: Nobody said which way it points.
        StudyError: The tasks have neither accuracy nor one metric in common.
    """
    known = metrics_of_any(finished)
    names = [
        {name.removeprefix(f"{task}/") for name in known if name.startswith(f"{task}/")}
        for task in study.tasks
    ]
    common = set[str].intersection(*names)
    if said is None and finished and "accuracy" not in common:
        if len(common) != 1:
            have = "; ".join(
                f"{task}: {', '.join(sorted(each)) or 'none'}"
                for task, each in zip(study.tasks, names, strict=True)
            )
            raise StudyError(
                f"{study.path} cannot be stopped by a rule: its tasks have no accuracy and not "
                f"one metric in common ({have}); [stop] must name what it judges: metric = NAME"
            )
        (said,) = common
    judged = said or "accuracy"
    return judged, _sign(study, judged)


def _over_tasks(
    study: StudyRuns,
    pairs: Sequence[tuple[StoredRun, StoredRun]],
    metrics: Sequence[str],
    sign: int,
    *,
    standardised: bool,
) -> Pairs:
    """The mean over tasks of each pair's difference: one number a pair, as of a single metric.

    A run that diverged in a task counts there as the worst that was seen in it. Standardised,
    the unit of each task is settled by the first pairs, and no look comes before them: a unit that
    went on changing would make other numbers of the same pairs at each look.
    """
    finished = [run for pair in pairs for run in pair if run.state == "finished"]
    values = [_of_pairs(study, metric, pairs, finished, sign) for metric in metrics]
    if standardised and pairs:
        units = _units(np.array(values))
        values = [each / unit for each, unit in zip(values, units, strict=True)]
    tasks = tuple(Pairs(accuracy=b - a, baseline=a) for a, b in values)
    baseline, candidate = np.mean(values, axis=0)
    added = Pairs(accuracy=candidate + baseline)
    return Pairs(accuracy=candidate - baseline, baseline=baseline, added=added, tasks=tasks)


def _in_own_unit(decision: Decision, metric: str, sign: int) -> Decision:
    """A decision on a metric that was judged as accuracy is, higher better, under its own name."""

    def turned(found: Interval) -> Interval:
        low, high = sorted((sign * found.low, sign * found.high))
        return Interval(estimate=sign * found.estimate, low=low, high=high)

    ends = turned(Interval(estimate=decision.estimate, low=decision.low, high=decision.high))
    return replace(
        decision,
        metric=metric,
        judged=metric,
        higher_is_better=sign > 0,
        estimate=ends.estimate,
        low=ends.low,
        high=ends.high,
        trace=tuple(replace(look, accuracy=turned(look.accuracy)) for look in decision.trace),
    )


def _units(values: Float64[ndarray, "tasks two pairs"]) -> Float64[ndarray, " tasks"]:
    """Standard deviation of a run in each task, from the pairs before the first look.

    While there are fewer of them nothing is decided; a task that does not vary yet counts as 0.
    """
    a, b = np.moveaxis(values[..., :FOR_STANDARDISED], 1, 0)
    if values.shape[-1] >= FOR_STANDARDISED:
        return np.array([_unit(task) for task in values])
    ddof = min(1, values.shape[-1] - 1)
    spread = np.sqrt((a.var(axis=-1, ddof=ddof) + b.var(axis=-1, ddof=ddof)) / 2)
    return np.where(spread > 0, spread, np.inf)


def _unit(values: Float64[ndarray, "two pairs"]) -> float:
    """The unit of a task: of the pairs before the first look, or up to the first run that differs.

    Until then there is no difference, in whatever unit: so it is 0 at every look.
    """
    for count in range(FOR_STANDARDISED, values.shape[-1] + 1):
        a, b = values[:, :count, None]
        (unit,) = run_units(a, b)
        if np.isfinite(unit):
            return float(unit)
    return np.inf


def differences(
    study: StudyRuns,
    pairs: Sequence[tuple[StoredRun, StoredRun]],
    judged: str = "accuracy",
    sign: int = 1,
) -> Pairs:
    """The second run of each pair less the first, in accuracy and in what stands for it.

    Both added up are there too, for rules that take the runs as unrelated. A diverged run counts
    as what chance scores; of another metric as the worst that was seen.

    Args:
        study: The open study.
        pairs: The runs of each pair.
        judged: The metric that is judged.
        sign: -1 where lower is better: then its differences are turned round.

    Raises:
        StudyError: A run lacks the metric.
    """
    finished = [run for pair in pairs for run in pair if run.state == "finished"]
    predicted = all_have_logits(finished)

    baseline, candidate = _of_pairs(study, judged, pairs, finished, sign)
    dataset = study.dataset
    views = more_views(finished) if is_over_views(judged) else None
    if views is not None and dataset:
        step = 1 / (views * len(dataset.targets))
        return Pairs(
            accuracy=candidate - baseline,
            resolution=step,
            baseline=baseline,
            added=Pairs(accuracy=candidate + baseline),
        )
    if not predicted or judged != "accuracy":
        added = Pairs(accuracy=candidate + baseline)
        return Pairs(accuracy=candidate - baseline, baseline=baseline, added=added)
    matched, ranked = (
        _of_pairs(study, metric, pairs, finished)
        for metric in ("matched_accuracy", "ranked_accuracy")
    )
    views = max((usual_views(run.views) for run in finished), default=0)
    return Pairs(
        accuracy=candidate - baseline,
        matched=matched[1] - matched[0],
        ranked=ranked[1] - ranked[0],
        resolution=1 / (views * len(dataset.targets)) if views and dataset else 0.0,
        baseline=baseline,
        added=Pairs(
            accuracy=candidate + baseline,
            matched=matched[1] + matched[0],
            ranked=ranked[1] + ranked[0],
        ),
    )


def _of_pairs(
    study: StudyRuns,
    metric: str,
    pairs: Sequence[tuple[StoredRun, StoredRun]],
    finished: Sequence[StoredRun],
    sign: int = 1,
) -> Float64[ndarray, "2 pairs"]:
    has = [run for run in finished if metric not in run.not_finite]
    known = metric_values(study, metric, has) if has else {}
    known = {run: sign * value for run, value in known.items()}
    lacking = next((run for run in has if run.id not in known), None)
    if lacking is not None:
        raise StudyError(
            f"run {lacking.id} ({lacking.setup}, seed {lacking.seed}) has no {metric}, which the "
            "stopping rule judges"
        )
    dataset = study.dataset
    chance = 1 / len(dataset.classes) if dataset else 0.0
    if not in_points(metric):
        chance = min(known.values(), default=0.0)
    values = [[known.get(run.id, chance) for run in pair] for pair in pairs]
    return np.array(values, dtype=np.float64).reshape(-1, 2).T
