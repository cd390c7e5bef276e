"""A comparison in words that need no statistics to be read. Accuracy is in points here."""

import math

from seedwise.comparison.compare import TargetValues
from seedwise.comparison.contrast import Contrast
from seedwise.comparison.result import ComparisonValues
from seedwise.comparison.stop import StoppingRule
from seedwise.comparison.verdict import SOFT
from seedwise.figures import count, figure, in_points, percent, signed
from seedwise.seeds import Seed
from seedwise.stats.sequential import Decision, Interval
from seedwise.words.numbers import (
    amount,
    metric_words,
    open_difference,
    pointing,
    shift,
    with_interval,
)

__all__ = [
    "BY_NUMBER",
    "basis",
    "decision_grounds",
    "decision_promise",
    "decision_sentence",
    "exploratory_sentence",
    "lost_words",
    "more_runs",
    "target_sentence",
    "verdict_sentence",
]


BY_NUMBER = "The same runs as if their number had been fixed beforehand, which is exploratory:"
"""Introduction of the ordinary figures where a stopping rule decides."""


def verdict_sentence(found: ComparisonValues) -> str:
    """Better, worse, equivalent or undecided, and by how much: what stands.

    Where a stopping rule decides, this is the rule's verdict. Runs that collapsed come first.
    """
    ruled = found.stopping
    if found.of_models:
        return f"{_by_number(found)}{_pointing(found.deciding)} {_of_models(found)}"
    verdict = (
        f"{_by_number(found)}{_pointing(found.deciding)}"
        if ruled is None
        else decision_sentence(ruled.candidate, ruled.rule, ruled.decision)
    )
    return " ".join(filter(None, (collapse_sentence(found), verdict, without_sentence(found))))


def _of_models(found: ComparisonValues) -> str:
    """Scope of a verdict from one run of each setup."""
    of = f"new {found.called}" if found.groups is None else f"{found.called} of new groups"
    return (
        f"This is about these two models on {of}, and about no other seed: one run of each tells "
        "nothing of what training again would give."
    )


def exploratory_sentence(found: ComparisonValues) -> str:
    """Verdict on the same runs had their number been fixed; empty without a stopping rule."""
    return f"{_by_number(found)}{_pointing(found.deciding)}" if found.stopping else ""


def _pointing(found: "Contrast | TargetValues") -> str:
    """Direction of the verdict's metric, where that could be doubted."""
    way = pointing(found.metric, found.higher_is_better)
    return f" For {metric_words(found.metric)}, {way}." if way else ""


def _by_number(found: ComparisonValues) -> str:
    match found.verdict.outcome:
        case "better" | "worse":
            return _different(found)
        case "equivalent":
            return _equivalent(found)
        case _:
            return _undecided(found)


def target_sentence(found: TargetValues) -> str:
    """Better, worse or undecided against a fixed number, and by how much."""
    metric, difference = found.metric, found.difference
    words, name = metric_words(metric), found.setup.name
    target = f"the target {figure(metric, found.target)}"
    head = f"{name} is {found.outcome} than {target}"
    if found.outcome == "undecided":
        head = f"Undecided: these runs can't tell {name} from {target}"
    mean = f"{words} is {figure(metric, found.sample.mean)} on average"
    spread = "one run tells nothing of how much runs vary"
    if math.isfinite(difference.low):
        low, high = (found.target + end for end in (difference.low, difference.high))
        spread = f"between {figure(metric, low)} and {figure(metric, high)}"
    return f"{head}: {mean} ({spread}; {count(found.sample.n, 'run')}).{_pointing(found)}"


def basis(found: ComparisonValues) -> str:
    """The runs on which it rests, and how often such a verdict is wrong."""
    if found.stopping is not None:
        return decision_promise(found.stopping.rule, found.stopping.decision.judged, found.called)
    difference = found.deciding.difference
    if found.of_models:
        return f"From one run of each on {_examples(found)}.{_error_rate(found)}"
    if found.test_to_train:
        runs = f"{count(difference.n_a, 'fold')} of cross-validation, the same in both setups"
    elif difference.paired:
        runs = f"{count(difference.n_a, 'pair')} of runs with the same seeds"
        rests = ((difference.rest_a, found.a.name), (difference.rest_b, found.b.name))
        alone = " and ".join(f"{n:,} of {name}" for n, name in rests if n)
        runs += f" and, without a partner, {alone}" if alone else ""
    else:
        runs = f"{count(difference.n_a, 'run')} of {found.a.name} and "
        runs += f"{count(difference.n_b, 'run')} of {found.b.name}, unrelated"
    return f"From {runs}.{_error_rate(found)}"


def _examples(found: ComparisonValues) -> str:
    """Number of examples that a verdict on two models rests on, and its test."""
    number = f"the same {found.examples or 0:,} {found.called}"
    if found.groups is not None:
        return f"{number} in {count(found.groups, 'group')} (t test of the groups)"
    return f"{number} ({'paired t test' if found.apart is None else 'exact McNemar test'})"


def more_runs(found: ComparisonValues) -> str:
    """Number of runs that would do, for an undecided comparison; empty if none can be said."""
    runs, seen = found.runs_for_seen, found.deciding.difference
    said = found.stopping is not None or bool(found.verdict.withheld or found.test_to_train)
    if said or found.outcome != "undecided" or runs is None:
        return ""
    now = min(seen.n_a, seen.n_b)
    unit = "pair" if found.paired else "run"
    each = "" if found.paired else " of each setup"
    if runs > now:
        return (
            f"If the difference is as large as it looks now, about {count(runs, unit)}{each} "
            f"would show it in 4 of 5 studies; there are {now}."
        )
    return ""


def _error_rate(found: ComparisonValues) -> str:
    """Meaning of the verdict's error rate; empty where it is not kept."""
    if not found.standing.confirmatory:
        return ""
    rate = percent(found.rule.alpha)
    if found.family and found.family.correction == "bh":
        return f" Of all verdicts better or worse, about {rate} are wrong: a screening."
    if found.of_models:
        return (
            f" Of models that are equally good on all such {found.called}, about {rate} come out "
            "better or worse."
        )
    every = f" in any of the {found.family.size} comparisons" if found.family else ""
    return (
        f" Where there is no difference between runs that do not collapse, such a study comes out "
        f"better or worse{every} about {rate} of the time."
    )


def _different(found: ComparisonValues) -> str:
    verdict, main, accuracy = found.verdict, found.deciding, found.accuracy
    head = f"{found.b.name} is {verdict.outcome} than {found.a.name}"
    if main.metric != "accuracy":
        head += f" by {metric_words(main.metric)}"
    stands_for_accuracy = main.metric.partition(":")[0] in SOFT
    size = accuracy if accuracy is not None and stands_for_accuracy else main
    if not size.difference.clear_of_zero:
        return f"{head}; by how much is open: {open_difference(size.metric, size.difference)}."
    text = f"{head}: {shift(size.metric, size.difference)}."
    if accuracy is not None and size is main and main is not accuracy:
        text += f" {open_difference('accuracy', accuracy.difference).capitalize()}."
    return text


def _equivalent(found: ComparisonValues) -> str:
    tests = found.equivalence
    assert tests is not None, "without a margin nothing is equivalent"
    metric = found.margin_metric
    text = (
        f"{found.b.name} and {found.a.name} are equivalent: their {metric_words(metric)} differs "
        f"by less than {amount(metric, tests.margin)} (between "
        f"{signed(metric, tests.low)} and {signed(metric, tests.high)})."
    )
    if found.verdict.direction:
        way = "better" if found.verdict.direction > 0 else "worse"
        text += f" {found.b.name} is {way}, but by less than what was said to matter."
    return text


def _undecided(found: ComparisonValues) -> str:
    size = found.accuracy or found.deciding
    text = f"Undecided: these runs can't tell {found.b.name} from {found.a.name}"
    withheld = found.verdict.withheld
    if withheld:
        claim = f"{found.b.name} is {withheld}"
        if withheld == "equivalent":
            claim = f"{found.b.name} and {found.a.name} are equivalent"
        text = f"Undecided: that {claim} rests on {lost_words(found)}"
    text = f"{text}; {open_difference(size.metric, size.difference)}."
    tests = found.equivalence
    if tests is not None and found.verdict.not_worse and not withheld:
        text += (
            f" {found.b.name} is not worse than {found.a.name} by "
            f"{amount(found.margin_metric, tests.margin)} or more."
        )
    return text


def lost_words(found: ComparisonValues) -> str:
    """Words for the runs that a verdict must not rest on."""
    kinds = {
        "diverged": found.a.diverged or found.b.diverged,
        "collapsed": found.far_a.collapsed or found.far_b.collapsed,
        "outlying": found.far_a.ahead or found.far_b.ahead,
    }
    return f"{' and '.join(kind for kind, some in kinds.items() if some)} runs"


def collapse_sentence(found: ComparisonValues) -> str:
    """Runs that collapsed, and the share of a setup's seeds that do; empty where none did."""
    said = []
    for setup, far in ((found.a, found.far_a), (found.b, found.far_b)):
        if far.collapsed:
            said.append(
                f"{len(far.collapsed)} of {count(far.runs, 'run')} of {setup.name} collapsed: "
                f"{_seeds(far.collapsed)} (between {percent(round(far.low, 3))} and "
                f"{percent(round(far.high, 3))} of its seeds do)."
            )
        if far.ahead:
            said.append(
                f"{len(far.ahead)} of {count(far.runs, 'run')} of {setup.name} got far better "
                f"results than the rest: {_seeds(far.ahead)}."
            )
    return " ".join(said)


def without_sentence(found: ComparisonValues) -> str:
    """The verdict without the runs that collapsed; empty where none did."""
    verdict, main = found.verdict_without_diverged, found.without_diverged
    if not (found.far_a.seeds or found.far_b.seeds) or verdict is None or main is None:
        return ""
    a, b = found.a.name, found.b.name
    claim = {
        "equivalent": f"{b} and {a} are equivalent",
        "undecided": f"{b} can't be told from {a}",
    }.get(verdict.outcome, f"{b} is {verdict.outcome} than {a}")
    size = open_difference(main.metric, main.difference)
    return f"Without the {lost_words(found)} {claim}: {size}."


def _seeds(seeds: tuple[Seed, ...]) -> str:
    some = ", ".join(map(str, seeds[:8])) + (", ..." if len(seeds) > 8 else "")
    return f"seed {some}" if len(seeds) == 1 else f"seeds {some}"


def decision_sentence(name: str, rule: StoppingRule, found: Decision) -> str:
    """The verdict on a candidate and by how much it differs, or why there is no verdict."""
    way = pointing(found.judged, found.higher_is_better)
    said = _decision_sentence(name, rule, found)
    return f"{said} For {metric_words(found.judged)}, {way}." if way else said


def _decision_sentence(name: str, rule: StoppingRule, found: Decision) -> str:
    both, pairs = f"{name} against {rule.baseline}", f"after {count(found.n, 'pair')} of runs"
    if not found.n:
        return f"Not decided yet: {both}, {pairs}."
    size = open_difference(found.judged, _ruled_accuracy(found))
    match found.verdict, found.reason:
        case "better" | "worse", _:
            return f"{_decided_difference(name, rule, found, pairs)}."
        case "equivalent", _:
            return _decided_equivalent(name, rule, found, pairs)
        case _, "futile":
            most = f"{rule.stop.max_runs} pairs would hardly decide it"
            return f"Undecided: {both}, {pairs}, and {most}; {size}."
        case _, "withheld":
            claim = f"{name} is better than {rule.baseline}"
            if found.withheld == "equivalent":
                claim = f"{name} and {rule.baseline} are equivalent"
            return f"Undecided, {pairs}: that {claim} rests on diverged or collapsed runs; {size}."
        case _, "cap":
            return f"Undecided: {both}, {pairs}, which is the most allowed; {size}."
        case _:
            return f"Not decided yet: {both}, {pairs}; {size}."


def decision_grounds(found: Decision, called: str) -> str:
    """Grounds by metric, with the rule's own intervals; `called` is the examples' name."""
    look = found.trace[-1]
    known = {"matched_accuracy": look.matched, "ranked_accuracy": look.ranked}
    others = [
        f"{metric_words(metric)} {with_interval(metric, each)}"
        for metric, each in known.items()
        if each is not None
    ]
    sure = f"{percent(found.confidence)} interval"
    unit = " points" if in_points(found.judged) else ""
    size = with_interval(found.judged, _ruled_accuracy(found))
    text = "; ".join([f"{found.judged} {size}{unit}", *others])
    withheld = found.withheld if found.reason != "withheld" else ""
    held = f" {withheld.capitalize()} is withheld so far." if withheld else ""
    return f"{text} ({sure}, new seeds on these {called}).{held}"


def decision_promise(rule: StoppingRule, judged: str, called: str) -> str:
    """Error rates of such verdicts, and what may be read from them.

    Args:
        rule: The rule.
        judged: The metric that sizes are of.
        called: What the examples are called.
    """
    candidates = count(len(rule.candidates), "candidate")
    return (
        f"The rule was fixed before the first run: {percent(rule.stop.alpha)} false alarms "
        f"over {candidates} where differences are about normal and no run collapses "
        "(two to six times as many where they are strongly skewed); "
        "equivalent is within "
        f"{amount(judged, rule.stop.difference)}. The intervals hold after stopping; the "
        f"estimates lean outward. All of it speaks of new seeds on these {called}, not of new "
        f"{called}."
    )


def _ruled_accuracy(found: Decision) -> Interval:
    """The difference of accuracy, with the interval that belongs to the verdict."""
    if found.verdict == "equivalent":
        return Interval(estimate=found.estimate, low=found.low, high=found.high)
    return found.trace[-1].accuracy


def _decided_difference(name: str, rule: StoppingRule, found: Decision, pairs: str) -> str:
    by = "" if found.metric == "accuracy" else f" by {metric_words(found.metric)}"
    head = f"{name} is {found.verdict} than {rule.baseline}{by}, {pairs}"
    accuracy = _ruled_accuracy(found)
    if accuracy.low <= 0 <= accuracy.high:
        return f"{head}; by how much is open: {open_difference(found.judged, accuracy)}"
    return f"{head}: {shift(found.judged, accuracy)}"


def _decided_equivalent(name: str, rule: StoppingRule, found: Decision, pairs: str) -> str:
    text = (
        f"{name} and {rule.baseline} are equivalent, {pairs}: their "
        f"{found.judged} differs by less than {amount(found.judged, rule.stop.difference)} "
        f"(between {signed(found.judged, found.low)} and {signed(found.judged, found.high)})."
    )
    if found.direction:
        way = "better" if found.direction > 0 else "worse"
        text += f" {name} is {way}, but by less than what was said to matter."
    return text
