"""A comparison in words that need no statistics to be read. Accuracy is in points here."""

import math

from seedwise.comparison.compare import TargetValues
from seedwise.comparison.contrast import Contrast
from seedwise.comparison.result import ComparisonValues
from seedwise.comparison.verdict import GUARD, SOFT
from seedwise.figures import count, figure, percent, places, signed
from seedwise.seeds import Seed
from seedwise.stats.signs import ALONE
from seedwise.words.decision import decision_promise, decision_sentence
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
    "exploratory_sentence",
    "lost_words",
    "more_runs",
    "target_sentence",
    "tradeoff_sentence",
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
        said = (_by_number(found), tradeoff_sentence(found), _of_models(found))
        return " ".join(filter(None, said))
    verdict = (
        _by_number(found)
        if ruled is None
        else decision_sentence(ruled.candidate, ruled.rule, ruled.decision)
    )
    said = (collapse_sentence(found), verdict, without_sentence(found), tradeoff_sentence(found))
    return " ".join(filter(None, said))


def tradeoff_sentence(found: ComparisonValues) -> str:
    """Verdict on cost and margin at once; empty without a cost."""
    both = found.tradeoff
    if both is None:
        return ""
    a, b, saving = found.a.name, found.b.name, both.saving
    more = f" by more than {percent(saving.wanted)}" if saving.wanted else ""
    margin = amount(found.margin_metric, found.rule.margin or 0)
    claim = f"{b} is cheaper than {a}{more} and not worse by {margin} or more"
    head = f"Shown: {claim}" if both.shown else f"Not shown: that {claim}"
    seen, way = abs(saving.estimate), "less" if saving.estimate >= 0 else "more"
    ends = "no interval"
    if math.isfinite(saving.low):
        sure = percent(1 - 2 * found.rule.alpha)
        low, high = (f"{100 * end:.1f}" for end in (saving.low, saving.high))
        ends = f"{sure} interval of the saving {low} to {high} %"
    return f"{head}; {both.cost}: {100 * seen:.1f} % {way} ({ends}; p of both {both.p_value:.2g})."


def _of_models(found: ComparisonValues) -> str:
    """Scope of a verdict from one run of each setup."""
    of = f"new {found.called}" if found.groups is None else f"{found.called} of new groups"
    return (
        f"This is about these two models on {of}, and about no other seed: one run of each says "
        f"nothing about what training again would give."
    )


def exploratory_sentence(found: ComparisonValues) -> str:
    """Verdict on the same runs had their number been fixed; empty without a stopping rule."""
    return _by_number(found) if found.stopping else ""


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
    digits = places(metric, difference.low, difference.high)
    mean = f"{words} is {figure(metric, found.sample.mean, digits)} on average"
    runs = count(found.sample.n, "run")
    spread = f"no interval from {runs}"
    if math.isfinite(difference.low):
        ends = (found.target + end for end in (difference.low, difference.high))
        low, high = (figure(metric, end, digits) for end in ends)
        spread = f"{percent(difference.confidence)} interval {low} to {high}, {runs}"
    way = pointing(metric, found.higher_is_better)
    return f"{head}: {mean} ({spread}{way and f'; {way}'})."


def basis(found: ComparisonValues) -> str:
    """The runs on which it rests, and how often such a verdict is wrong."""
    if found.stopping is not None:
        return decision_promise(found.stopping.rule, found.stopping.decision, found.speaks_of)
    return f"From {_runs(found, found.deciding)}.{_error_rate(found)}"


def _runs(found: ComparisonValues, contrast: Contrast) -> str:
    """The runs that went into a difference."""
    difference = contrast.difference
    if found.of_models:
        return f"one run of each on {_examples(found)}"
    if found.test_to_train:
        return f"{count(difference.n_a, 'fold')} of cross-validation, the same in both setups"
    if difference.paired:
        runs = f"{count(difference.n_a, 'pair')} of runs with the same seeds"
        rests = ((difference.rest_a, found.a.name), (difference.rest_b, found.b.name))
        alone = " and ".join(f"{n:,} of {name}" for n, name in rests if n)
        return runs + (f" and, without a partner, {alone}" if alone else "")
    return (
        f"{count(difference.n_a, 'run')} of {found.a.name} and "
        f"{count(difference.n_b, 'run')} of {found.b.name}, unrelated"
    )


def _rests(found: ComparisonValues, contrast: Contrast) -> str:
    """The same in short, and which way the metric points where that could be doubted."""
    difference = contrast.difference
    runs = (
        f"{count(difference.n_a, 'run')} of {found.a.name}, {difference.n_b:,} of {found.b.name}"
    )
    if found.of_models:
        runs = f"one run of each on {found.examples or 0:,} {found.called}"
        runs += f" in {count(found.groups, 'group')}" if found.groups is not None else ""
    elif found.test_to_train:
        runs = f"{count(difference.n_a, 'fold')} of cross-validation"
    elif difference.paired:
        rest = difference.rest_a + difference.rest_b
        runs = f"{count(difference.n_a, 'pair')} of runs{f' and {rest:,} more' if rest else ''}"
    way = pointing(contrast.metric, contrast.higher_is_better)
    return f"{runs}{way and f'; {way}'}"


def _open(found: ComparisonValues, contrast: Contrast) -> str:
    difference = contrast.difference
    sure = percent(difference.confidence)
    return open_difference(contrast.metric, difference, sure, _rests(found, contrast))


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
    stands_for_accuracy = main.metric.partition(":")[0] in SOFT
    size = accuracy if accuracy is not None and stands_for_accuracy else main
    if not size.difference.clear_of_zero:
        by = "" if size is main else f", as {metric_words(main.metric)} shows"
        return f"{head}{by}; by how much is uncertain: {_open(found, size)}."
    sure = percent(size.difference.confidence)
    text = f"{head}: {shift(size.metric, size.difference, sure, _rests(found, size))}."
    if accuracy is not None and size is main and main is not accuracy:
        ends = with_interval("accuracy", accuracy.difference, "points")
        text += f" Accuracy differs by {ends}."
    return text


def _equivalent(found: ComparisonValues) -> str:
    tests = found.equivalence
    assert tests is not None, "without a margin nothing is equivalent"
    metric = found.margin_metric
    digits = places(metric, tests.low, tests.high)
    sure = percent(1 - 2 * tests.alpha)
    text = (
        f"{found.b.name} and {found.a.name} are equivalent: their {metric_words(metric)} differs "
        f"by less than {amount(metric, tests.margin)} ({sure} interval "
        f"{signed(metric, tests.low, digits)} to {signed(metric, tests.high, digits)}, "
        f"{_rests(found, found.contrasts[metric])})."
    )
    if found.verdict.direction:
        way = "better" if found.verdict.direction > 0 else "worse"
        text += f" {found.b.name} is {way}, but by less than the margin."
    return text


def _undecided(found: ComparisonValues) -> str:
    size = found.accuracy or found.deciding
    veto = _withheld(found) or _veto(found)
    veto = veto or f"these runs can't tell {found.b.name} from {found.a.name}"
    text = f"Undecided: {veto}; {_open(found, size)}."
    tests = found.equivalence
    if tests is not None and found.verdict.not_worse and not found.verdict.withheld:
        text += (
            f" {found.b.name} is not worse than {found.a.name} by "
            f"{amount(found.margin_metric, tests.margin)} or more."
        )
    return text


def _withheld(found: ComparisonValues) -> str:
    """The claim that is withheld, and the runs that it would rest on; empty where none is."""
    withheld, without = found.verdict.withheld, found.verdict_without_diverged
    if not withheld:
        return ""
    claim = f"{found.b.name} is {withheld}"
    if withheld == "equivalent":
        claim = f"{found.b.name} and {found.a.name} are equivalent"
    text = f"that {claim} rests on {lost_words(found)}"
    if found.far_a.seeds or found.far_b.seeds:  # the last sentence has the verdict without them
        return text
    if without is not None and without.outcome != withheld:
        return f"{text}, and without them it is {without.outcome}"
    return f"{text}, and what they would have scored is unknown"


def _veto(found: ComparisonValues) -> str:
    """The metric that keeps a difference from being claimed, and why; empty where none does."""
    first, accuracy = next(iter(found.contrasts.values())), found.accuracy
    if first is accuracy or accuracy is None or first.metric.partition(":")[0] not in SOFT:
        return _corrected(found, [found.deciding])
    guard = found.contrasts.get(GUARD.get(first.metric.partition(":")[0], ""))
    witnesses = [each for each in (first, guard, accuracy) if each is not None]
    shown = [each for each in witnesses if each.difference.clear_of_zero]
    way = _sign(shown[0]) if shown else 0
    against = [each for each in witnesses if each not in shown or _sign(each) != way]
    if not shown or not against:
        return _corrected(found, witnesses)
    vetoes = " and ".join(
        f"{metric_words(each.metric)} ({with_interval(each.metric, each.difference)})"
        for each in against
    )
    claim = f"{found.b.name} {'better' if way > 0 else 'worse'} than {found.a.name}"
    do = "does" if len(against) == 1 else "do"
    alone = ""
    if accuracy in shown:
        alone = f" (alone, accuracy has to show it at {percent(1 - ALONE * found.rule.alpha)})"
    return f"{metric_words(shown[0].metric)} shows {claim}, but {vetoes} {do} not{alone}"


def _sign(found: Contrast) -> int:
    return 1 if found.advantage > 0 else -1 if found.advantage < 0 else 0


def _corrected(found: ComparisonValues, witnesses: list[Contrast]) -> str:
    """That the correction for several comparisons is what takes the verdict away."""
    clear = all(each.difference.clear_of_zero for each in witnesses)
    if not (clear and found.family):
        return ""
    return (
        f"{found.b.name} differs from {found.a.name} on its own, but not once corrected for "
        f"{found.family.size} comparisons"
    )


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
    return f"Without the {lost_words(found)} {claim}: {_open(found, main)}."


def _seeds(seeds: tuple[Seed, ...]) -> str:
    some = ", ".join(map(str, seeds[:8])) + (", ..." if len(seeds) > 8 else "")
    return f"seed {some}" if len(seeds) == 1 else f"seeds {some}"
