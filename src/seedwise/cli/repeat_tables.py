"""Null comparisons and repeats, in print."""

import math
from collections.abc import Iterable

from rich.text import Text

from seedwise.cli.console import Console
from seedwise.cli.tables import named_table, print_table, sentence
from seedwise.comparison import NullComparisons, RepeatComparison
from seedwise.comparison.nulls import NullRate
from seedwise.figures import count, figure, spread
from seedwise.words.numbers import metric_words, share

__all__ = ["print_nulls", "print_repeat"]


def print_nulls(
    console: Console, found: NullComparisons, alpha: float, *, stops: bool = False
) -> None:
    """Print how often a verdict, with `stops` a stopping rule's, found what is not there."""
    judge = f"the t test of {metric_words(found.metric)}"
    if stops:
        judge = "the stopping rule, which looks after every pair,"
    sentence(
        console,
        f"{found.setup} against itself, {count(found.runs, 'run')} a side; {judge} states "
        f"{100 * alpha:g} % false alarms",
    )
    rates = [
        ("other seeds, paired by chance" if stops else "other seeds, unpaired", found.unpaired)
    ]
    if found.paired is not None:
        rates.append(("twins, same seeds, paired", found.paired))
    for name, rate in rates:
        _print_rate(console, name, rate)
    said = [_judgement(rate, alpha) for _, rate in rates]
    for line in dict.fromkeys(said):
        sentence(console, line)
    sentence(console, _pairing_in_words(found))


def _print_rate(console: Console, name: str, rate: NullRate) -> None:
    incomplete = f"; {count(rate.incomplete, 'set')} incomplete" if rate.incomplete else ""
    sentence(
        console,
        f"  {name}: {rate.rejected} of {rate.comparisons} called different, "
        f"{share(rate.rate)}{incomplete}",
    )


def _judgement(rate: NullRate, alpha: float) -> str:
    if rate.comparisons == 0:
        return "No comparison could be made: every set lacks a run."
    if rate.rate.low > alpha:
        return "More false alarms than stated: do not trust this verdict here."
    top = f"{100 * rate.rate.high:.0f} %"
    return f"Consistent with the stated rate; {rate.comparisons} cannot tell it from {top}."


def _pairing_in_words(found: NullComparisons) -> str:
    if found.paired is None:
        return "No twins: a training function of your own has no learning rate to nudge."
    unpaired, paired = (spread(found.metric, sd) for sd in (found.sd_unpaired, found.sd_paired))
    return (
        f"Two unrelated runs differ by sd {unpaired}, twins by {paired}: "
        "no paired difference here varies less."
    )


def print_repeat(console: Console, found: RepeatComparison) -> None:
    """Print whether a run and its repeat are the same, and what that does to pairing."""
    what = f"{found.setup} seed {found.seed}: run {found.run} and its repeat {found.repeat}"
    if found.identical:
        sentence(console, f"{what} are identical, bit for bit.")
    else:
        sentence(console, f"{what} differ.")
        for line in _differences(found):
            sentence(console, f"  {line}")
    for name, (then, now) in found.made_otherwise.items():
        sentence(console, f"  made differently: {name} was {then}, is {now}")
    if not found.identical:
        _print_floors(console, found)
    sentence(console, _floor_in_words(found))


def _differences(found: RepeatComparison) -> Iterable[str]:
    if found.states[0] != found.states[1]:
        yield f"the run {found.states[0]}, the repeat {found.states[1]}"
    if not math.isnan(found.largest_difference):
        yield (
            f"logits by {found.largest_difference:.3g} at most; {100 * found.churn:.2f} % of the "
            "predictions are of another class"
        )
    if found.first_epoch is not None:
        yield f"from epoch {found.first_epoch} on"


def _print_floors(console: Console, found: RepeatComparison) -> None:
    table = named_table("metric", "run", "repeat", "difference")
    for name, floor in found.floors.items():
        table.add_row(
            Text(metric_words(name)),
            figure(name, floor.run),
            figure(name, floor.repeat),
            spread(name, floor.repeat - floor.run),
        )
    print_table(console, table)


def _floor_in_words(found: RepeatComparison) -> str:
    if not found.floors:
        return "A run or a repeat that diverged says nothing about pairing."
    name, floor = next(iter(found.floors.items()))
    known = count(floor.repeats, "repeat")
    if found.identical and all(each.sd == 0 for each in found.floors.values()):
        return (
            f"So far the machine adds nothing to a paired difference ({known}): what two setups "
            "share, they share exactly."
        )
    if floor.sd == 0:
        return (
            f"What the machine adds to a paired difference of {metric_words(name)} is too small "
            f"to be seen so far ({known}): it came out the same, though the runs differ."
        )
    words = (
        f"The floor under a paired difference of {metric_words(name)}: two trainings with the "
        f"same seeds differ by sd {spread(name, floor.sd)} ({known})"
    )
    if math.isnan(floor.sd_seeds):
        return f"{words}."
    return (
        f"{words}, two unrelated ones by {spread(name, floor.sd_seeds)}. Pairing cannot save more "
        f"than a factor of {floor.most_saved:.3g} of the runs here."
    )
