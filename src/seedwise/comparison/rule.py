"""The rule of a verdict, the plan fixed before the first run, and what keeps to it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from seedwise.comparison.copies import independent_runs
from seedwise.comparison.metrics import check_better, default_metric
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError, StudyError
from seedwise.records import VIEWS
from seedwise.seeds import Seed
from seedwise.stats.suites import OVER

__all__ = [
    "PlannedComparisons",
    "Rule",
    "Standing",
    "changed_rule",
    "fixed_rule",
    "plan_of",
    "refuse_other_judges",
    "standing",
    "with_margin",
]


def _key(allowed: str, *kinds: type) -> Mapping[str, Any]:
    """A field that study.toml may set, in its table [verdict]: its values, in words and types."""
    return {"allowed": allowed, "kinds": kinds}


_METRIC = _key('the name of a metric, e.g. "smoothed_accuracy:beta=10"', str)
_MARGIN = _key("a difference of accuracy, e.g. 0.005 for half a point", int, float)
_CONFIDENCE = _key("a rate above 0 and below 1, e.g. 0.95", int, float)
_PAIRED = _key("true or false", bool)
_OVER = _key(f"one of {', '.join(OVER)}", str)
_COST = _key('what a run costs, lower being better: "seconds", or a metric', str)
_SAVING = _key("a share from 0 to below 1, e.g. 0.1 for a tenth less", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The choices that a verdict depends on besides the runs.

    Attributes:
        metric: The metric that decides. None takes matched accuracy for the sign, with accuracy
            agreeing, where there are predictions, and else what the runs have.
        margin: The largest difference of accuracy, as a fraction, that does not matter; None for
            no claim of equivalence.
        confidence: Coverage of the intervals, in (0, 1); error rates are 1 less it.
        paired: Whether runs of the same seed are compared with each other; None pairs where most
            of the seeds are shared.
        over: Way to put the tasks of a suite together: the `mean` of their differences, of
            `standardised` differences, or the interquartile mean (`iqm`) of all scores.
        better: Whether a `lower` or a `higher` value is better, by the name of a metric; under ""
            of the one that decides. For names that do not settle it.
        cost: What a run costs: `seconds`, or a metric that all runs have. With it there is a
            second verdict: cheaper by more than `saving`, and not worse by the margin.
        saving: The share by which the cost is to be lower; None for any.

    Raises:
        ConfigError: The margin, the confidence or the saving is out of range, a direction is none,
            or a cost has no margin beside it.
    """

    metric: str | None = field(default=None, metadata=_METRIC)
    margin: float | None = field(default=None, metadata=_MARGIN)
    confidence: float = field(default=0.95, metadata=_CONFIDENCE)
    paired: bool | None = field(default=None, metadata=_PAIRED)
    over: str = field(default="mean", metadata=_OVER)
    better: Mapping[str, str] = field(default_factory=dict[str, str])
    cost: str | None = field(default=None, metadata=_COST)
    saving: float | None = field(default=None, metadata=_SAVING)

    def __post_init__(self) -> None:
        if self.margin is not None and not 0 < self.margin < math.inf:
            raise ConfigError(
                f"margin must be above 0, got {self.margin}; half a point of accuracy is 0.005"
            )
        if not 0 < self.confidence < 1:
            raise ConfigError(f"confidence must be between 0 and 1, got {self.confidence}")
        if self.over not in OVER:
            raise ConfigError(f"over must be one of {', '.join(OVER)}, got {self.over!r}")
        check_better(self.better)
        if self.saving is not None and not 0 <= self.saving < 1:
            raise ConfigError(f"saving must be a share from 0 to below 1, got {self.saving:g}")
        if self.saving is not None and self.cost is None:
            raise ConfigError("a saving is of a cost; give --cost seconds, or a metric")
        if self.cost is not None and self.margin is None:
            raise ConfigError(
                "cheaper and not worse needs a margin beside the cost; give e.g. --margin 0.005"
            )

    @property
    def alpha(self) -> float:
        """The rate of false alarms."""
        return 1 - self.confidence

    def to_json(self) -> Mapping[str, Any]:
        """The rule as JSON keeps it; directions are kept by themselves (`directions`).

        The usual way over tasks is left out, and so is a cost that was not said: plans that were
        fixed before there were suites or costs, and plans without them, stay what they are.
        """
        usual = {"over": "mean", "cost": None, "saving": None}
        return {
            name: value
            for name, value in asdict(self).items()
            if name != "better" and not (name in usual and value == usual[name])
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Standing of a verdict: was all that it depends on fixed before the first run?

    Attributes:
        confirmatory: Whether it was; error rates are what they say only then.
        reasons: Why it was not, each as a clause.
    """

    confirmatory: bool
    reasons: tuple[str, ...]


def plan_of(
    setups: Sequence[str],
    seeds: Sequence[Seed],
    rule: Rule,
    *,
    baseline: str | None = None,
    stop: Mapping[str, Any] | None = None,
    tasks: Mapping[str, Mapping[str, Any]] | None = None,
) -> Mapping[str, Any]:
    """Plan to be kept before the first run, as JSON; `stop` is a rule without seeds.

    Plans of studies without tasks have no word of them, as before there were any.
    """
    rule = with_margin(rule, stop)
    return {
        "setups": list(setups),
        "baseline": baseline or setups[0],
        "seeds": [str(seed) for seed in seeds],
        "rule": dict(rule.to_json()),
        "stop": stop,
        **({"tasks": dict(tasks)} if tasks else {}),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedComparisons:
    """The comparisons that were planned: each other setup with the baseline.

    Attributes:
        baseline: Name of the setup that the others are compared with; empty without a plan.
        candidates: The others.
    """

    baseline: str
    candidates: tuple[str, ...]

    @classmethod
    def of(cls, study: StudyRuns) -> "PlannedComparisons":
        """Planned comparisons of a study. A plan without a baseline means its first setup."""
        plan = study.plan
        if plan is None:
            return cls(baseline="", candidates=())
        baseline = plan.get("baseline") or (plan.get("stop") or {}).get("baseline")
        baseline = baseline or plan["setups"][0]
        others = tuple(name for name in plan["setups"] if name != baseline)
        return cls(baseline=baseline, candidates=others)

    def beside(self, asked: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """The planned comparisons that belong to the family of those asked for.

        They are all the others that were planned: whoever picks one of five to look at has
        picked it of five. None where no planned one is asked for.
        """
        missing = self._missing(asked)
        return missing if len(missing) < len(self.candidates) else []

    def strays(self, pair: tuple[str, str], asked: Sequence[tuple[str, str]]) -> list[str]:
        """Reasons why a comparison of two planned setups is not one of those that were planned.

        To ask for it beside all that were planned does not depend on the results: the
        family is larger then.
        """
        known = {self.baseline, *self.candidates}
        if self.baseline in pair or not known.issuperset(pair) or not self._missing(asked):
            return []
        return [
            f"{pair[1]!r} against {pair[0]!r} is not one of the {len(self.candidates)} planned "
            f"comparisons, each with {self.baseline!r}"
        ]

    def _missing(self, asked: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        here = set(map(frozenset, asked))
        planned = [(self.baseline, name) for name in self.candidates]
        return [pair for pair in planned if frozenset(pair) not in here]


def fixed_rule(study: StudyRuns) -> Rule:
    """The rule that was fixed; the usual one where none was.

    Raises:
        StudyError: It has choices that this seedwise does not know.
    """
    plan = study.plan
    if plan is None:
        return Rule()
    try:
        return with_margin(Rule(**plan["rule"]), plan.get("stop"))
    except (TypeError, KeyError) as error:
        raise StudyError(
            f"{study.path} is damaged: its rule of verdict cannot be understood ({error}); "
            "restore the file from a copy"
        ) from None


def with_margin(rule: Rule, stop: Mapping[str, Any] | None) -> Rule:
    """A rule with the difference that matters to a stopping rule as its margin, if it has none."""
    return replace(rule, margin=stop["difference"]) if stop and rule.margin is None else rule


def refuse_other_judges(rule: Rule, *, tasks: bool) -> None:
    """Refuse a rule that a study with a stopping rule would not go by.

    Raises:
        ConfigError: It names another metric than matched accuracy, or unpaired runs; or puts the
            tasks of a suite together otherwise than by a mean of each pair's differences.
    """
    if tasks and rule.over == "iqm":
        raise ConfigError(
            "a stopping rule takes one number a pair, the mean of its differences over the tasks; "
            "over = 'iqm' is of all runs together and changes with each: leave it out, say "
            "'standardised', or name seeds instead of the rule"
        )
    said = []
    if rule.metric not in (None, "matched_accuracy"):
        said.append(f"metric = {rule.metric}")
    if rule.paired is False:
        said.append("paired = false")
    if said:
        raise ConfigError(
            "a stopping rule judges matched accuracy and accuracy, or the metric that [stop] "
            f"names, and has a key paired of its own: leave out {' and '.join(said)}, or name "
            "seeds instead of the rule"
        )


def standing(
    study: StudyRuns,
    rule: Rule,
    setups: Sequence[str],
    *,
    also: Sequence[str] = (),
    usual: str | None = None,
) -> Standing:
    """Hold a verdict against what was fixed.

    Args:
        study: The study.
        rule: The rule by which the verdict was reached.
        setups: The setups that were compared.
        also: Other reasons why the verdict does not keep to it.
        usual: The metric that decides where none is named, if the runs do not tell it.
    """
    plan = study.plan
    if plan is None:
        return Standing(
            confirmatory=False, reasons=("nothing was fixed before the first run was stored",)
        )
    reasons = [
        *_changes(study, fixed_rule(study), rule, usual),
        *also,
        *(reason for setup in setups if (reason := study.aside.reason(setup))),
        *(
            f"{setup!r} was added after runs were stored"
            for setup in setups
            if setup not in plan["setups"] and not study.aside.reason(setup)
        ),
        *(
            f"the seeds of {part} were fixed after another part of the study had results, which "
            "whoever fixed them may have seen"
            for part in plan.get("late", ())
        ),
        *(
            f"task {task!r} was added after runs were stored"
            for task in study.tasks
            if task not in plan.get("tasks", study.tasks)
        ),
        *(_STOPPED if plan.get("stop") else _looked_early(study, plan["seeds"], setups)),
    ]
    return Standing(confirmatory=not reasons, reasons=tuple(reasons))


_STOPPED = (
    "a stopping rule looked after every pair, and these figures allow for one look only; the "
    "rule's own verdict keeps them",
)

_UNSAID = {
    "margin": "none",
    "paired": "by the seeds",
    "over": "mean",
}
"""Words for None in a rule."""


def _changes(study: StudyRuns, fixed: Rule, used: Rule, usual: str | None) -> list[str]:
    """In what a rule differs from the fixed one; to name what decides anyway is no change."""
    if fixed.metric == used.metric:
        return changed_rule(fixed, used)
    return changed_rule(fixed, used, usual=usual or _usual_metric(study))


def _usual_metric(study: StudyRuns) -> str:
    """The metric that decides where none is named; `none` where one has to be."""
    finished = [run for run in study.all if run.state == "finished"]
    if finished:
        try:
            return default_metric(finished)
        except ConfigError:
            return "none"
    views = study.dataset.views if study.dataset else VIEWS
    return "matched_accuracy" if views == VIEWS else f"accuracy:views={len(views)}"


def changed_rule(fixed: Rule, used: Rule, *, usual: str = "matched_accuracy") -> list[str]:
    """In what a rule differs from the one that was fixed, each as a clause.

    Args:
        fixed: The rule that was fixed.
        used: The other.
        usual: The metric that decides where a rule names none.
    """
    unsaid = {"metric": usual, **_UNSAID}
    was, here = (
        unsaid | {name: value for name, value in rule.to_json().items() if value is not None}
        for rule in (fixed, used)
    )
    return [
        f"{name} is {here[name]} here, and {was.get(name, 'none')} was fixed"
        for name in here
        if here[name] != was.get(name)
    ]


def _looked_early(study: StudyRuns, planned: Sequence[str], setups: Sequence[str]) -> list[str]:
    """Seeds beyond those that were planned, and planned ones that are missing."""
    wanted, reasons = set(planned), list[str]()
    results = [[run for run in study.of(name) if run.state != "failed"] for name in setups]
    compared = {str(run.seed) for runs in results for run in independent_runs(runs)}
    stored = [{str(run.seed) for run in runs} for runs in results]
    extra = compared - wanted
    if extra:
        added = "1 seed was" if len(extra) == 1 else f"{len(extra)} seeds were"
        reasons.append(
            f"{added} added after runs were stored, beyond the {len(wanted)} that "
            "were planned: to add runs after a look is to look more than once"
        )
    for setup, have in zip(setups, stored, strict=True):
        if wanted - have:
            reasons.append(
                f"{len(wanted & have)} of the {len(wanted)} planned runs of {setup!r} are "
                f"stored: this is an interim look"
            )
    return reasons
