"""Decisions of a stopping rule in words. Accuracy is in points here."""

from seedwise.comparison.stop import StoppingRule
from seedwise.figures import count, in_points, percent, places, signed
from seedwise.stats.sequential import Decision, Interval
from seedwise.words.numbers import (
    amount,
    metric_words,
    open_difference,
    pointing,
    shift,
    with_interval,
)

__all__ = ["decision_grounds", "decision_promise", "decision_sentence"]


def decision_sentence(name: str, rule: StoppingRule, found: Decision) -> str:
    """The verdict on a candidate and by how much it differs, or why there is no verdict."""
    both, pairs = f"{name} against {rule.baseline}", f"after {count(found.n, 'pair')} of runs"
    if found.tasks:
        pairs = f"over {count(found.tasks, 'task')} {pairs}"
    if not found.n:
        return f"Not decided yet: {both}, {pairs}."
    way = pointing(found.judged, found.higher_is_better)
    size = open_difference(found.judged, _sized(found), percent(found.confidence), way)
    match found.verdict, found.reason:
        case "better" | "worse", _:
            return f"{_decided_difference(name, rule, found, pairs)}."
        case "equivalent", _:
            return _decided_equivalent(name, rule, found, pairs)
        case _, "futile":
            most = f"{rule.stop.max_runs} pairs would hardly decide it"
            text = f"Undecided: {both}, {pairs}, and {most}; {size}."
        case _, "withheld":
            claim = f"{name} is better than {rule.baseline}"
            if found.withheld == "equivalent":
                claim = f"{name} and {rule.baseline} are equivalent"
            return f"Undecided, {pairs}: that {claim} rests on diverged or collapsed runs; {size}."
        case _, "cap":
            text = f"Undecided: {both}, {pairs}, which is the most allowed; {size}."
        case _:
            text = f"Not decided yet: {both}, {pairs}; {size}."
    return f"{text}{_veto(found)}"


def decision_grounds(found: Decision, called: str) -> str:
    """Grounds by metric, with the rule's own intervals; `called` as in `decision_promise`."""
    others = [
        f"{metric_words(metric)} {with_interval(metric, each)}"
        for metric, each in _soft(found).items()
    ]
    sure = f"{percent(found.confidence)} interval"
    unit = "points" if in_points(found.judged) else ""
    size = with_interval(found.judged, _sized(found), unit)
    mean = f"mean {found.judged} over {found.tasks} tasks" if found.tasks else found.judged
    text = "; ".join([f"{mean} {size}", *others])
    withheld = found.withheld if found.reason != "withheld" else ""
    held = f" {withheld.capitalize()} is withheld so far." if withheld else ""
    these = f" on these {called}" if called else ""
    return f"{text} ({sure}, new seeds{these}).{held}"


def decision_promise(rule: StoppingRule, found: Decision | None, called: str) -> str:
    """Error rates of such verdicts, and what may be read from them.

    Args:
        rule: The rule.
        found: One of its decisions; None before there is one.
        called: What the examples are called; empty where runs have none.
    """
    candidates = count(len(rule.candidates), "candidate")
    judged = found.judged if found else "accuracy"
    speaks = "All of this is about new seeds"
    if called:
        speaks += f" on these {called}, not of new {called}"
    unrelated = "" if rule.stop.paired else "It takes runs of one seed as unrelated. "
    if found and found.tasks:
        speaks += " on these tasks"
    return (
        f"The rule was fixed before the first run: {percent(rule.stop.alpha)} false alarms "
        f"over {candidates} where differences are about normal and no run collapses "
        "(two to six times as many where they are strongly skewed); "
        "equivalent is within "
        f"{amount(judged, rule.stop.difference)}. {unrelated}The intervals hold after stopping; "
        f"the estimates lean outward. {speaks}."
    )


def _soft(found: Decision) -> dict[str, Interval]:
    """The metrics that stand for accuracy, as they were at the last look."""
    look = found.trace[-1]
    known = {"matched_accuracy": look.matched, "ranked_accuracy": look.ranked}
    return {metric: each for metric, each in known.items() if each is not None}


def _veto(found: Decision) -> str:
    """The metric that keeps a difference from being claimed that matched accuracy shows."""
    shown = {
        metric: each.estimate
        for metric, each in {found.judged: _sized(found), **_soft(found)}.items()
        if each.low > 0 or each.high < 0
    }
    matched = shown.get("matched_accuracy")
    if matched is None:
        return ""
    for metric in ("ranked_accuracy", found.judged):
        if shown.get(metric, 0) * matched <= 0:
            return f" Matched accuracy shows a difference, which {metric_words(metric)} does not."
    return ""


def _sized(found: Decision) -> Interval:
    """The difference of accuracy, with the interval that belongs to the verdict."""
    if found.verdict == "equivalent":
        return Interval(estimate=found.estimate, low=found.low, high=found.high)
    return found.trace[-1].accuracy


def _decided_difference(name: str, rule: StoppingRule, found: Decision, pairs: str) -> str:
    head = f"{name} is {found.verdict} than {rule.baseline}, {pairs}"
    size, sure = _sized(found), percent(found.confidence)
    way = pointing(found.judged, found.higher_is_better)
    if size.low <= 0 <= size.high:
        by = "" if found.metric == found.judged else f", as {metric_words(found.metric)} shows"
        seen = open_difference(found.judged, size, sure, way)
        return f"{head}{by}; by how much is uncertain: {seen}"
    return f"{head}: {shift(found.judged, size, sure, way)}"


def _decided_equivalent(name: str, rule: StoppingRule, found: Decision, pairs: str) -> str:
    digits = places(found.judged, found.low, found.high)
    low, high = (signed(found.judged, end, digits) for end in (found.low, found.high))
    text = (
        f"{name} and {rule.baseline} are equivalent, {pairs}: their "
        f"{metric_words(found.judged)} differs by less than "
        f"{amount(found.judged, rule.stop.difference)} "
        f"({percent(found.confidence)} interval {low} to {high})."
    )
    if found.direction:
        way = "better" if found.direction > 0 else "worse"
        text += f" {name} is {way}, but by less than the margin."
    return text
