"""Sources of noise in print."""

import math

from rich.text import Text

from seedwise.cli.console import Console
from seedwise.cli.tables import named_table, print_table, sentence
from seedwise.comparison import Variance
from seedwise.comparison.variance import MetricNoise, SignalTable
from seedwise.figures import count, in_points, percent, spread
from seedwise.stats.variance import ENOUGH_RUNS, Estimate
from seedwise.words.numbers import (
    deviation_interval,
    deviation_with_interval,
    factor,
    metric_words,
    share,
    short,
    views_saving,
)
from seedwise.words.run_cautions import identical_note

__all__ = ["print_variance"]

_BY_SOURCE = ("accuracy", "matched_accuracy")
"""The metrics whose sources are printed; all of them are in the value."""

_IMAGES = 5


def print_variance(console: Console, found: Variance) -> None:
    """Print the sources of a setup's noise."""
    sharing = f"; {found.sharing:,} more share one with them" if found.sharing else ""
    sentence(
        console,
        f"{found.setup}: {count(found.runs, 'finished run')} without a common seed{sharing}",
    )
    if found.diverged:
        diverged = count(found.diverged, "diverged run")
        sentence(console, f"  {diverged} left out of every figure here")
    if found.identical:
        runs = found.runs + found.sharing + found.identical
        sentence(console, f"Note: {identical_note(found.setup, runs, found.identical)}")
    _print_split(console, found)
    _print_sources(console, found)
    _print_images(console, found)
    for table in found.signals:
        _print_signals(console, found.setup, table)


def _print_split(console: Console, found: Variance) -> None:
    split = any(noise.split for noise in found.metrics)
    title = "Training noise against test-set noise" if split else "How much runs differ"
    sure = percent(found.confidence)
    _head(console, f"{title}; {sure} intervals; accuracies in points and points²")
    columns = ("training variance", "test-set share") if split else ("",)
    table = named_table("metric", "sd", *columns)
    for noise in found.metrics:
        deviation = noise.variance.root
        cells = (
            (deviation_interval(noise.name, deviation),)
            if noise.split is None
            else (
                _squared(noise.name, noise.split.training),
                share(noise.split.test_set_share),
            )
        )
        table.add_row(Text(metric_words(noise.name)), spread(noise.name, deviation.value), *cells)
    print_table(console, table)
    first = found.metrics[0]
    if first.split:
        floor, binomial = (math.sqrt(first.split.independent), math.sqrt(first.split.binomial))
        would = f"; p(1 - p)/n would say {spread(first.name, binomial)}"
        sentence(
            console,
            f"If {found.called} erred independently, {metric_words(first.name)} would have sd "
            f"{spread(first.name, floor)}{'' if math.isnan(binomial) else would}.",
        )
    if found.views is not None:
        sentence(
            console,
            f"{views_saving(found.views, 'variance')} of accuracy over two views, and of the runs "
            f"that a difference takes{'.' if found.views.measured else ' (views = 16).'}",
        )
    if first.split and not first.split.enough_runs:
        sentence(
            console,
            f"With {count(found.runs, 'run')} the two cannot be told apart; {ENOUGH_RUNS} are "
            f"needed.",
        )


def _print_sources(console: Console, found: Variance) -> None:
    printed = [noise for noise in found.metrics if noise.name in _BY_SOURCE] or found.metrics[:1]
    _head(console, "By source of randomness")
    if not any(noise.alone or noise.crossed for noise in printed):
        sentence(
            console,
            "No runs share some seeds and not others. `seedwise run STUDY.TOML --sources "
            "init,order,augment=3` trains the 27 runs that this takes.",
        )
    for noise in printed:
        if noise.crossed:
            _print_crossed(console, noise)
        for stream, alone in noise.alone.items():
            deviation = deviation_with_interval(noise.name, alone.variance.root)
            sentence(
                console,
                f"{metric_words(noise.name)}, only {stream} varied in {alone.runs} runs: sd "
                f"{deviation}, of {spread(noise.name, noise.sample.sd)} when all vary",
            )


def _print_crossed(console: Console, noise: MetricNoise) -> None:
    crossed = noise.crossed
    assert crossed is not None
    levels = " x ".join(f"{number} {stream}" for stream, number in crossed.levels.items())
    sentence(console, f"{metric_words(noise.name)}, seeds crossed {levels}:")
    table = named_table("", "sd", "variance", "", "share")
    whole = crossed.total

    def add(what: str, part: Estimate) -> None:
        of_whole = f"{100 * part.value / whole.value:.0f} %" if whole.value > 0 else "-"
        deviation = spread(noise.name, math.sqrt(part.value)) if part.value >= 0 else "-"
        variance, _, interval = _squared(noise.name, part).partition(" ")
        table.add_row(f"  {what}", deviation, variance, interval, of_whole)

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
    print_table(console, table)
    if not crossed.repeats:
        sentence(console, "  * with whatever a repeat would change: no run was repeated")


def _print_images(console: Console, found: Variance) -> None:
    images = found.images
    if images is None or images.runs < 2:
        return
    total = len(images.right)
    _head(console, f"Which of the {total:,} {found.called}")
    half = f"{images.half:,} make half of the test-set noise."
    sentence(
        console,
        half
        if images.graded
        else f"{images.always_right:,} are right in every run, {images.always_wrong:,} wrong in "
        f"every run; {half}",
    )
    columns = ("mean score",) if images.graded else ("right", "flips")
    table = named_table("the noisiest", *columns, "share of noise")
    for place in images.noisiest(_IMAGES):
        if images.share[place] > 0:
            fares = (
                (f"{images.right[place]:.4g}",)
                if images.graded
                else (f"{100 * images.right[place]:.0f} %", f"{100 * images.flips[place]:.0f} %")
            )
            share_of_noise = f"{100 * images.share[place]:.1f} %"
            table.add_row(Text(found.names[place]), *fares, share_of_noise)
    print_table(console, table)


def _print_signals(console: Console, setup: str, found: SignalTable) -> None:
    _head(
        console,
        f"Which metric shows {found.other} - {setup} with the fewest runs; {found.pairs} pairs",
    )
    table = named_table("metric", "difference", "runs saved, paired", "unpaired")
    other = False
    for name, signal in found.metrics.items():
        elsewhere = found.elsewhere(name)
        other = other or elsewhere
        table.add_row(
            Text(metric_words(name)),
            f"{spread(name, signal.difference)}{' *' if elsewhere else '  '}",
            factor(signal.saved_paired),
            "1" if name == "accuracy" else factor(signal.saved_unpaired),
        )
    print_table(console, table)
    sure = f"{percent(found.confidence)} intervals, new seeds"
    sentence(console, f"  times fewer runs than unpaired accuracy needs; {sure}")
    if other:
        sentence(
            console,
            "  * not accuracy's difference: it saves runs on another question (sharpness, say)",
        )


def _head(console: Console, text: str) -> None:
    sentence(console, "")
    sentence(console, text)


def _point(value: float) -> Estimate:
    return Estimate(value=value, low=math.nan, high=math.nan)


def _squared(metric: str, found: Estimate) -> str:
    """A variance with its interval, in squares of the metric's printed units."""
    unit = 1e4 if in_points(metric) else 1.0
    if math.isnan(found.value):
        return "-"
    value = short(unit * found.value)
    if math.isnan(found.low):
        return value
    return f"{value} [{short(unit * found.low)}, {short(unit * found.high)}]"
