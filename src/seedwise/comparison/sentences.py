"""A comparison in words that need no statistics to be read. Accuracy is in points here."""

import math
from typing import TYPE_CHECKING

from seedwise.comparison.collapse import collapse_sentence, lost_words, without_sentence
from seedwise.comparison.decided import decision_promise, decision_sentence
from seedwise.comparison.phrases import amount, metric_words, open_difference, pointing, shift
from seedwise.comparison.verdict import SOFT
from seedwise.figures import count, figure, percent, signed

if TYPE_CHECKING:
    from seedwise.comparison.contrast import Contrast
    from seedwise.comparison.result import Comparison
    from seedwise.comparison.target import TargetComparison

__all__ = [
    "BY_NUMBER",
    "basis",
    "exploratory_sentence",
    "more_runs",
    "target_sentence",
    "verdict_sentence",
]


BY_NUMBER = "The same runs as if their number had been fixed beforehand, which is exploratory:"
"""What introduces the ordinary figures where a stopping rule decides."""


def verdict_sentence(found: "Comparison") -> str:
    """Better, worse, equivalent or undecided, and by how much: what stands.

    Where a stopping rule decides, this is the rule's verdict. Runs that collapsed come first.
    """
    ruled = found.stopping
    verdict = (
        f"{_by_number(found)}{_pointing(found.deciding)}"
        if ruled is None
        else decision_sentence(ruled.candidate, ruled.rule, ruled.decision)
    )
    return " ".join(filter(None, (collapse_sentence(found), verdict, without_sentence(found))))


def exploratory_sentence(found: "Comparison") -> str:
    """What the same runs would say had their number been fixed; empty without a stopping rule."""
    return f"{_by_number(found)}{_pointing(found.deciding)}" if found.stopping else ""


def _pointing(found: "Contrast | TargetComparison") -> str:
    """Which way the metric of the verdict points, where that could be doubted."""
    way = pointing(found.metric, found.higher_is_better)
    return f" For {metric_words(found.metric)}, {way}." if way else ""


def _by_number(found: "Comparison") -> str:
    match found.verdict.outcome:
        case "better" | "worse":
            return _different(found)
        case "equivalent":
            return _equivalent(found)
        case _:
            return _undecided(found)


def target_sentence(found: "TargetComparison") -> str:
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


def basis(found: "Comparison") -> str:
    """The runs on which it rests, and how often such a verdict is wrong."""
    if found.stopping is not None:
        return decision_promise(found.stopping.rule)
    difference = found.deciding.difference
    if found.test_to_train:
        runs = f"{count(difference.n_a, 'fold')} of cross-validation, the same in both setups"
    elif difference.paired:
        runs = f"{count(difference.n_a, 'pair')} of runs with the same seeds"
    else:
        runs = f"{count(difference.n_a, 'run')} of {found.a.name} and "
        runs += f"{count(difference.n_b, 'run')} of {found.b.name}, unrelated"
    return f"From {runs}.{_error_rate(found)}"


def more_runs(found: "Comparison") -> str:
    """How many runs would do, for an undecided comparison; empty where no number can be said."""
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


def _error_rate(found: "Comparison") -> str:
    """What the verdict's error rate means; nothing where it is not kept."""
    if not found.standing.confirmatory:
        return ""
    rate = percent(found.rule.alpha)
    if found.family and found.family.correction == "bh":
        return f" Of all verdicts better or worse, about {rate} are wrong: a screening."
    every = f" in any of the {found.family.size} comparisons" if found.family else ""
    return (
        f" Where there is no difference between runs that do not collapse, such a study comes out "
        f"better or worse{every} about {rate} of the time."
    )


def _different(found: "Comparison") -> str:
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


def _equivalent(found: "Comparison") -> str:
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


def _undecided(found: "Comparison") -> str:
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
