"""What a reader of a comparison has to know so as not to read too much into it."""

from collections.abc import Iterator

from seedwise.comparison.collapse import collapse_note, lost_words
from seedwise.comparison.contrast import Contrast
from seedwise.comparison.independent import identical_note, sharing_note
from seedwise.comparison.phrases import amount, metric_words
from seedwise.comparison.result import Comparison
from seedwise.stats.intervals import sign_flip_floor

__all__ = ["cautions"]


_FEW = 20
_HELD_IF_SKEWED = ((5, 88), (10, 90), (19, 91))
"""Up to how many pairs, and the coverage of the paired t interval in per cent on exponential
differences: benchmarks/records/2026-11-24-coverage. The unpaired interval held 93 to 95 %."""


def cautions(found: Comparison) -> tuple[str, ...]:
    """One sentence for each thing to know, the weightiest first."""
    return (
        *_standing(found),
        *_identical(found),
        *_disputed(found),
        *_diverged(found),
        *_lost(found),
        *_too_few(found),
        *_disagreement(found),
        *_sharpness(found),
        *_runs_left_out(found),
        *_several(found),
    )


def _standing(found: Comparison) -> Iterator[str]:
    if not found.standing.confirmatory:
        yield f"Exploratory, error rates are not kept: {'; '.join(found.standing.reasons)}."


def _identical(found: Comparison) -> Iterator[str]:
    for setup in (found.a, found.b):
        if setup.identical:
            yield identical_note(setup.name, setup.results + setup.identical, setup.identical)


def _disputed(found: Comparison) -> Iterator[str]:
    for setup in (found.a, found.b):
        if setup.disputes:
            first, others = next(iter(setup.disputes)), {each.seed for each in setup.disputes}
            several = f" and {len(others) - 1} more" if len(others) > 1 else ""
            yield (
                f"The metrics that came with runs of {setup.name} are not those of their "
                f"predictions, which decide: seed {first.seed}{several}, {first}. Check that "
                "predictions and targets are of the same examples in the same order."
            )


def _diverged(found: Comparison) -> Iterator[str]:
    a, b = found.a, found.b
    if not (a.diverged or b.diverged):
        return
    yield (
        f"Diverged: {a.diverged} of {a.results} runs of {a.name}, {b.diverged} of {b.results} of "
        f"{b.name} (same rate: p = {found.divergence_p:.2g}, Fisher)."
    )
    main = found.deciding
    if len(main.values_a) + len(main.values_b) < a.results + b.results:
        yield f"What a diverged run would get of {metric_words(main.metric)} nobody can say."
    else:
        yield "Diverged runs count as what chance would score."


def _lost(found: Comparison) -> Iterator[str]:
    """What diverged and collapsed runs do to the verdict, or how many of them may be unseen."""
    without, lost = found.verdict_without_diverged, lost_words(found)
    if found.verdict.withheld:
        rest = f"it would be {without.outcome}" if without else "nothing is left to compare"
        yield f"{found.verdict.withheld.capitalize()} is withheld: without the {lost} {rest}."
    elif without is not None and without.outcome != found.verdict.outcome:
        yield f"Without the {lost} the verdict would be {without.outcome}."
    note = collapse_note(found)
    if note:
        yield note


def _too_few(found: Comparison) -> Iterator[str]:
    difference = found.deciding.difference
    runs = min(difference.n_a, difference.n_b)
    what = "pair" if difference.paired else "run"
    if runs == 1:
        yield f"One {what} tells nothing of how much runs vary: the interval has no end."
    elif difference.freedom == 0:
        yield "All differences are equal: that tells nothing of how much they vary."
    if difference.freedom == 0:
        return
    if difference.paired and runs < _FEW:
        held = next(share for most, share in _HELD_IF_SKEWED if runs <= most)
        yield (
            f"If the differences are strongly skewed, a 95 % interval from {runs} pairs holds "
            f"about {held} % of the time, and equivalence errs two to three times too often."
        )
    floor, alpha = sign_flip_floor(runs), found.rule.alpha
    if difference.paired and floor > alpha:
        yield (
            f"No sign-flip test of {runs} pairs can reach p = {alpha:.2g}; "
            f"the smallest is {floor:.2g}."
        )


def _disagreement(found: Comparison) -> Iterator[str]:
    if found.verdict.instead_of:
        yield (
            f"Accuracy decides: its difference does not have the sign of "
            f"{metric_words(found.verdict.instead_of)}."
        )
    accuracy = found.accuracy
    if accuracy is None:
        return
    for other in found.contrasts.values():
        against = (other.advantage > 0) != (accuracy.advantage > 0)
        if against and other.difference.clear_of_zero and accuracy.difference.clear_of_zero:
            yield (
                f"{metric_words(other.metric).capitalize()} ({_moved(other)}) and accuracy "
                f"({_moved(accuracy)}) disagree, both clear of 0: trust neither alone."
            )
    if found.verdict.outcome == "undecided" and accuracy.difference.clear_of_zero:
        yield (
            "Accuracy's own interval leaves out 0, but accuracy is not what decides: "
            "name it beforehand (metric = accuracy) for a verdict by it alone."
        )


def _sharpness(found: Comparison) -> Iterator[str]:
    """Smoothed accuracy depends on how sharp the logits are: say so where it shows."""
    accuracy = found.accuracy
    for name, other in found.contrasts.items():
        if accuracy is None or name.partition(":")[0] != "smoothed_accuracy":
            continue
        apart = (
            other.difference.low > accuracy.difference.high
            or other.difference.high < accuracy.difference.low
        )
        if apart:
            yield (
                f"{metric_words(name).capitalize()} moves by "
                f"{amount(name, other.difference.estimate, signed=True)}, accuracy by "
                f"{amount('accuracy', accuracy.difference.estimate, signed=True)}: the setups "
                "differ in how sharp their logits are, and it can't compare them."
            )
        elif found.deciding.metric == name:
            yield (
                f"This is a verdict on {metric_words(name)}, which also moves with the sharpness "
                "of the logits; accuracy stands beside it."
            )


def _runs_left_out(found: Comparison) -> Iterator[str]:
    if found.paired:
        for setup in (found.a, found.b):
            alone = setup.results - len(found.shared)
            if alone:
                yield (
                    f"{alone} of {setup.results} runs of {setup.name} have no partner of the same "
                    "seed, and are not in the difference."
                )
    elif found.shared and found.rule.paired is None:
        shared = len(found.shared)
        yield f"Seeds that are shared: {shared} only; the runs are compared as unrelated."
    for setup in (found.a, found.b):
        if setup.sharing:
            yield sharing_note(setup.name, setup.sharing)
        if setup.failed:
            yield f"{setup.failed} of the seeds of {setup.name} failed so far and are missing."


def _several(found: Comparison) -> Iterator[str]:
    if found.family:
        name = {"holm": "Holm", "bh": "Benjamini-Hochberg"}[found.family.correction]
        planned = " that were planned" if found.family.shown < found.family.size else ""
        yield (
            f"p-values are corrected for {found.family.size} comparisons{planned} ({name}); each "
            "interval stands for itself."
        )


def _moved(found: Contrast) -> str:
    return amount(found.metric, found.difference.estimate, signed=True)
