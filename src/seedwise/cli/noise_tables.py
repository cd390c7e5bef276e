"""Where the noise comes from, null comparisons and repeats, in print."""

import math
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seedwise.cli.tables import plain_table
from seedwise.cli.words import count, figure, spread
from seedwise.comparison import NullComparisons, RepeatComparison, Variance
from seedwise.comparison.nulls import NullRate
from seedwise.comparison.sentences import in_points, metric_words
from seedwise.comparison.variance import MetricNoise, SignalTable
from seedwise.stats.savings import Signal
from seedwise.stats.variance import ENOUGH_RUNS, Estimate

__all__ = ["print_nulls", "print_repeat", "print_variance"]

_BY_SOURCE = ("accuracy", "matched_accuracy")
"""The metrics whose sources are printed; all of them are in the value."""

_IMAGES = 5


def print_variance(console: Console, found: Variance) -> None:
    """Where the noise of a setup comes from."""
    sharing = f"; {found.sharing:,} more share one with them" if found.sharing else ""
    _say(
        console,
        f"{found.setup}: {count(found.runs, 'finished run')} without a common seed{sharing}",
    )
    if found.diverged:
        _say(console, f"  {count(found.diverged, 'diverged run')} left out of every figure here")
    _print_split(console, found)
    _print_sources(console, found)
    _print_images(console, found)
    for table in found.signals:
        _print_signals(console, found.setup, table)


def _print_split(console: Console, found: Variance) -> None:
    split = any(noise.split for noise in found.metrics)
    title = "Training noise against test-set noise" if split else "How much runs differ"
    _head(console, f"{title}; 95 % intervals; accuracies in points and points²")
    table = _table("metric", "sd", *(("training variance", "test-set share") if split else ("",)))
    for noise in found.metrics:
        deviation = _root(noise.variance)
        cells = (
            (_between(noise.name, deviation),)
            if noise.split is None
            else (
                _squared(noise.name, noise.split.training),
                _percent(noise.split.test_set_share),
            )
        )
        table.add_row(Text(metric_words(noise.name)), spread(noise.name, deviation.value), *cells)
    console.print(table)
    first = found.metrics[0]
    if first.split:
        floor, binomial = (math.sqrt(first.split.independent), math.sqrt(first.split.binomial))
        _say(
            console,
            f"If images erred on their own, {metric_words(first.name)} would have sd "
            f"{spread(first.name, floor)}; p(1 - p)/n would say {spread(first.name, binomial)}.",
        )
    if first.split and not first.split.enough_runs:
        _say(
            console,
            f"With {count(found.runs, 'run')} the two cannot be told apart; {ENOUGH_RUNS} are the "
            "least that can.",
        )


def _print_sources(console: Console, found: Variance) -> None:
    printed = [noise for noise in found.metrics if noise.name in _BY_SOURCE] or found.metrics[:1]
    _head(console, "By source of randomness")
    if not any(noise.alone or noise.crossed for noise in printed):
        _say(
            console,
            "No runs share some seeds and not others. `seedwise run STUDY.TOML --sources "
            "init,order,augment=3` trains the 27 runs that tell.",
        )
    for noise in printed:
        if noise.crossed:
            _print_crossed(console, noise)
        for stream, alone in noise.alone.items():
            deviation = _root(alone.variance)
            _say(
                console,
                f"{metric_words(noise.name)}, only {stream} varied in {alone.runs} runs: sd "
                f"{spread(noise.name, deviation.value)} {_between(noise.name, deviation)}, of "
                f"{spread(noise.name, noise.sample.sd)} when all vary",
            )


def _print_crossed(console: Console, noise: MetricNoise) -> None:
    crossed = noise.crossed
    assert crossed is not None
    levels = " x ".join(f"{number} {stream}" for stream, number in crossed.levels.items())
    _say(console, f"{metric_words(noise.name)}, seeds crossed {levels}:")
    table = _table("", "sd", "variance", "", "share")
    whole = crossed.total

    def add(what: str, part: Estimate) -> None:
        share = f"{100 * part.value / whole.value:.0f} %" if whole.value > 0 else "-"
        deviation = spread(noise.name, math.sqrt(part.value)) if part.value >= 0 else "-"
        variance, _, interval = _squared(noise.name, part).partition(" ")
        table.add_row(f"  {what}", deviation, variance, interval, share)

    add("all of them vary", whole)
    for stream, part in crossed.alone.items():
        add(f"only {stream} varies", part)
    for component in crossed.components:
        whole_set = len(component.streams) == len(crossed.levels)
        mark = " *" if whole_set and not crossed.repeats else ""
        own = "" if len(component.streams) > 1 else " by itself"
        add(f"part of {' x '.join(component.streams)}{own}{mark}", component.variance)
    if crossed.repeats:
        add("part of the machine (repeats)", _point(crossed.repeats.variance))
    console.print(table)
    if not crossed.repeats:
        _say(console, "  * with whatever a repeat would change: no run was repeated")


def _print_images(console: Console, found: Variance) -> None:
    images = found.images
    if images is None or images.runs < 2:
        return
    total = len(images.right)
    _head(console, f"Which of the {total:,} images")
    _say(
        console,
        f"{images.always_right:,} are right in every run, {images.always_wrong:,} wrong in every "
        f"run; {images.half:,} make half of the test-set noise.",
    )
    table = _table("the noisiest", "right", "flips", "share of noise")
    for place in images.noisiest(_IMAGES):
        if images.share[place] > 0:
            table.add_row(
                Text(found.names[place]),
                f"{100 * images.right[place]:.0f} %",
                f"{100 * images.flips[place]:.0f} %",
                f"{100 * images.share[place]:.1f} %",
            )
    console.print(table)


def _print_signals(console: Console, setup: str, found: SignalTable) -> None:
    _head(
        console,
        f"Which metric shows {found.other} - {setup} with the fewest runs; {found.pairs} pairs",
    )
    table = _table("metric", "difference", "runs saved, paired", "unpaired")
    accuracy = found.metrics["accuracy"].difference
    other = False
    for name, signal in found.metrics.items():
        elsewhere = _is_another(name, signal, accuracy)
        other = other or elsewhere
        table.add_row(
            Text(metric_words(name)),
            f"{spread(name, signal.difference)}{' *' if elsewhere else '  '}",
            _times(signal.saved_paired),
            "1" if name == "accuracy" else _times(signal.saved_unpaired),
        )
    console.print(table)
    _say(console, "  times fewer runs than unpaired accuracy needs; 95 % intervals, new seeds")
    if other:
        _say(
            console,
            "  * not accuracy's difference: it saves runs on another question (sharpness, say)",
        )


def _is_another(name: str, signal: Signal, accuracy: float) -> bool:
    """Whether a share moves by less than half of accuracy, by more than twice, or against it."""
    return in_points(name) and not accuracy**2 / 2 <= signal.difference * accuracy <= (
        2 * accuracy**2
    )


def print_nulls(console: Console, found: NullComparisons, alpha: float) -> None:
    """How often a verdict found a difference where there is none."""
    _say(
        console,
        f"{found.setup} against itself, {count(found.runs, 'run')} a side; the t test of "
        f"{metric_words(found.metric)} states {100 * alpha:g} % false alarms",
    )
    rates = [("other seeds, unpaired", found.unpaired)]
    if found.paired is not None:
        rates.append(("twins, same seeds, paired", found.paired))
    for name, rate in rates:
        _print_rate(console, name, rate)
    said = [_judgement(rate, alpha) for _, rate in rates]
    for line in dict.fromkeys(said):
        _say(console, line)
    _say(console, _pairing_in_words(found))


def _print_rate(console: Console, name: str, rate: NullRate) -> None:
    incomplete = f"; {count(rate.incomplete, 'set')} incomplete" if rate.incomplete else ""
    _say(
        console,
        f"  {name}: {rate.rejected} of {rate.comparisons} called different, "
        f"{_percent(rate.rate)}{incomplete}",
    )


def _judgement(rate: NullRate, alpha: float) -> str:
    if rate.comparisons == 0:
        return "No comparison could be made: every set lacks a run."
    if rate.rate.low > alpha:
        return "More false alarms than stated: do not trust this verdict here."
    top = f"{100 * rate.rate.high:.0f} %"
    return f"Nothing speaks against the stated rate; {rate.comparisons} cannot tell it from {top}."


def _pairing_in_words(found: NullComparisons) -> str:
    if found.paired is None:
        return "A training function of one's own has no learning rate to nudge: no twins."
    unpaired, paired = (spread(found.metric, sd) for sd in (found.sd_unpaired, found.sd_paired))
    return (
        f"Two unrelated runs differ by sd {unpaired}, twins by {paired}: "
        "no paired difference here varies less."
    )


def print_repeat(console: Console, found: RepeatComparison) -> None:
    """Whether a run and its repeat are the same, and what that does to pairing."""
    what = f"{found.setup} seed {found.seed}: run {found.run} and its repeat {found.repeat}"
    if found.identical:
        _say(console, f"{what} are identical, bit for bit.")
    else:
        _say(console, f"{what} differ.")
        for line in _differences(found):
            _say(console, f"  {line}")
    for name, (then, now) in found.made_otherwise.items():
        _say(console, f"  made otherwise: {name} was {then}, is {now}")
    if not found.identical:
        _print_floors(console, found)
    _say(console, _floor_in_words(found))


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
    table = _table("metric", "run", "repeat", "difference")
    for name, floor in found.floors.items():
        table.add_row(
            Text(metric_words(name)),
            figure(name, floor.run),
            figure(name, floor.repeat),
            spread(name, floor.repeat - floor.run),
        )
    console.print(table)


def _floor_in_words(found: RepeatComparison) -> str:
    if not found.floors:
        return "A run or a repeat that diverged says nothing of pairing."
    name, floor = next(iter(found.floors.items()))
    known = count(floor.repeats, "repeat")
    if floor.sd == 0:
        return (
            f"So far the machine adds nothing to a paired difference ({known}): what two setups "
            "share, they share exactly."
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


def _table(*columns: str) -> Table:
    """A table whose first column holds names, in full."""
    table = plain_table(columns)
    table.columns[0].no_wrap = True
    return table


def _say(console: Console, text: str) -> None:
    """Print text as it is, broken between words where the line ends."""
    console.print(text, markup=False, highlight=False)


def _head(console: Console, text: str) -> None:
    _say(console, "")
    _say(console, text)


def _point(value: float) -> Estimate:
    return Estimate(value=value, low=math.nan, high=math.nan)


def _root(variance: Estimate) -> Estimate:
    """A standard deviation from a variance."""
    return Estimate(
        value=math.sqrt(variance.value), low=math.sqrt(variance.low), high=math.sqrt(variance.high)
    )


def _between(metric: str, found: Estimate) -> str:
    return f"[{spread(metric, found.low)}, {spread(metric, found.high)}]"


def _squared(metric: str, found: Estimate) -> str:
    """A variance with its interval, in squares of the metric's printed units."""
    unit = 1e4 if in_points(metric) else 1.0
    if math.isnan(found.value):
        return "-"
    value = _short(unit * found.value)
    if math.isnan(found.low):
        return value
    return f"{value} [{_short(unit * found.low)}, {_short(unit * found.high)}]"


def _percent(found: Estimate) -> str:
    if math.isnan(found.value):
        return "-"
    return f"{100 * found.value:.0f} % [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def _times(found: Estimate) -> str:
    if math.isnan(found.value):
        return "-"
    return f"{_short(found.value)} [{_short(found.low)}, {_short(found.high)}]"


def _short(value: float) -> str:
    """Two digits and no exponent, as far as numbers people meet allow.

    >>> [_short(value) for value in (0.0123, 2.34, 234.5, 2345.6, 4.1e-05, math.inf)]
    ['0.012', '2.3', '234', '2346', '4.1e-05', 'inf']
    """
    return f"{value:.0f}" if 100 <= abs(value) < 1e5 else f"{value:.2g}"
