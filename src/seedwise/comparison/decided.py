"""What a stopping rule says, in words that need no statistics to be read."""

from seedwise.comparison.phrases import amount, metric_words, open_difference, shift, with_interval
from seedwise.comparison.stopping import StoppingRule
from seedwise.figures import count, percent, signed
from seedwise.stats.sequential import Decision, Interval

__all__ = ["decision_grounds", "decision_promise", "decision_sentence"]


def decision_sentence(name: str, rule: StoppingRule, found: Decision) -> str:
    """The verdict on a candidate and by how much it differs, or why there is no verdict."""
    both, pairs = f"{name} against {rule.baseline}", f"after {count(found.n, 'pair')} of runs"
    if not found.n:
        return f"Not decided yet: {both}, {pairs}."
    size = open_difference("accuracy", _accuracy(found))
    match found.verdict, found.reason:
        case "better" | "worse", _:
            return f"{_different(name, rule, found, pairs)}."
        case "equivalent", _:
            return _equivalent(name, rule, found, pairs)
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


def decision_grounds(found: Decision) -> str:
    """What each metric says, with the rule's own intervals."""
    look = found.trace[-1]
    known = {"matched_accuracy": look.matched, "ranked_accuracy": look.ranked}
    others = [
        f"{metric_words(metric)} {with_interval(metric, each)}"
        for metric, each in known.items()
        if each is not None
    ]
    sure = f"{percent(found.confidence)} interval"
    text = "; ".join([f"accuracy {with_interval('accuracy', _accuracy(found))} points", *others])
    withheld = found.withheld if found.reason != "withheld" else ""
    held = f" {withheld.capitalize()} is withheld so far." if withheld else ""
    return f"{text} ({sure}, new seeds on these images).{held}"


def decision_promise(rule: StoppingRule) -> str:
    """How often such verdicts are wrong, and what may be read from them."""
    candidates = count(len(rule.candidates), "candidate")
    return (
        f"The rule was fixed before the first run: {percent(rule.stop.alpha)} false alarms "
        f"over {candidates} among runs that do not collapse, where differences are about normal "
        "(two to six times as many where they are strongly skewed and accuracy decides alone); "
        "equivalent is within "
        f"{amount('accuracy', rule.stop.difference)}. The intervals hold after stopping; the "
        "estimates lean outward. All of it speaks of new seeds on these images, not of new images."
    )


def _accuracy(found: Decision) -> Interval:
    """The difference of accuracy, with the interval that belongs to the verdict."""
    if found.verdict == "equivalent":
        return Interval(estimate=found.estimate, low=found.low, high=found.high)
    return found.trace[-1].accuracy


def _different(name: str, rule: StoppingRule, found: Decision, pairs: str) -> str:
    by = "" if found.metric == "accuracy" else f" by {metric_words(found.metric)}"
    head = f"{name} is {found.verdict} than {rule.baseline}{by}, {pairs}"
    accuracy = _accuracy(found)
    if accuracy.low <= 0 <= accuracy.high:
        return f"{head}; by how much is open: {open_difference('accuracy', accuracy)}"
    return f"{head}: {shift('accuracy', accuracy)}"


def _equivalent(name: str, rule: StoppingRule, found: Decision, pairs: str) -> str:
    text = (
        f"{name} and {rule.baseline} are equivalent, {pairs}: their accuracy differs by less than "
        f"{amount('accuracy', rule.stop.difference)} (between "
        f"{signed('accuracy', found.low)} and {signed('accuracy', found.high)})."
    )
    if found.direction:
        way = "better" if found.direction > 0 else "worse"
        text += f" {name} is {way}, but by less than what was said to matter."
    return text
