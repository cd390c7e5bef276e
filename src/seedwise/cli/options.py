"""Arguments and options that several commands have, said once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click

from seedwise.errors import ConfigError

__all__ = [
    "VERDICT",
    "better",
    "better_of",
    "cache",
    "code_unchanged",
    "cost",
    "device",
    "devices",
    "jobs",
    "margin",
    "metric",
    "output",
    "pack",
    "saving",
    "setup",
    "setups",
    "source",
    "study",
    "train",
    "verdict",
]

study = click.argument("study", metavar="STUDY.DB", type=click.Path(path_type=Path))
cache = click.option(
    "--cache",
    type=click.Path(path_type=Path),
    help="Folder of downloads and decoded pixels.",
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to train; auto takes CUDA if there is one.",
)
jobs = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Runs side by side.  [default: chosen for the machine]",
)


class _BetterParam(click.ParamType):
    name = "better"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        metric, _, way = str(value).rpartition("=")
        if way not in ("lower", "higher"):
            self.fail(f"{value!r} is neither lower nor higher, nor METRIC=lower", param, ctx)
        return metric, way


better = click.option(
    "--better",
    "better",
    type=_BetterParam(),
    metavar="[METRIC=]lower|higher",
    multiple=True,
    help="Direction of a metric whose name does not settle it; may be repeated.",
)


def better_of(given: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The directions by metric; under "" that of the metric that is meant without its name."""
    found = dict(given)
    if len(found) < len(given):
        raise ConfigError("--better is given twice for one metric; give it once")
    return found


called = click.option(
    "--called",
    metavar="WORD",
    help="Plural name of the examples: questions, episodes.",
)


class _Pack(click.ParamType):
    name = "pack"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | Literal["auto"]:
        if value == "auto":
            return "auto"
        if not str(value).isdecimal() or int(value) < 1:
            self.fail(f"{value!r} is neither auto nor a number, 1 or more", param, ctx)
        return int(value)


pack = click.option(
    "--pack",
    type=_Pack(),
    metavar="auto|1|N",
    help="Runs side by side on one GPU; auto: as many as fit into its memory and make it faster. "
    "With --jobs, the smaller of the two.  [default: auto; for Ray 1]",
)


class _DevicesParam(click.ParamType):
    name = "devices"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | tuple[int, ...] | Literal["auto"]:
        if value == "auto":
            return "auto"
        parts = str(value).removesuffix(",").split(",")
        if not all(part.strip().isdecimal() for part in parts):
            self.fail(f"{value!r} is neither auto, a number of GPUs, nor some: 0,1", param, ctx)
        numbers = tuple(map(int, parts))
        return numbers if "," in value else numbers[0]


devices = click.option(
    "--devices",
    type=_DevicesParam(),
    metavar="auto|N|0,1",
    help="GPUs to use: all visible ones, a number of them, or a list of their numbers; a single "
    "one as 1, with its comma.  [default: auto]",
)
code_unchanged = click.option(
    "--code-unchanged",
    is_flag=True,
    help="Accept code that differs from that of the stored runs but trains the same: a rename, "
    "say.",
)
source = click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="Folder or archive that holds the study's dataset, if not in the cache.",
)
output = click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write.  [default: stdout]"
)


def _setup_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of the setups in the study that the line names, for a shell that completes them."""
    from seedwise.comparison.study_runs import StudyRuns
    from seedwise.errors import SeedwiseError

    try:
        with StudyRuns.open(ctx.params["study"]) as study:
            return [name for name in study.setups if name.startswith(incomplete)]
    except (SeedwiseError, OSError, KeyError, TypeError):  # a shell is told nothing, not a fault
        return []


setup = click.argument("setup", shell_complete=_setup_names)
setups = click.argument("setups", nargs=-1, shell_complete=_setup_names)
train = click.option(
    "--train",
    metavar="MODULE:FUNCTION",
    help="The function that trains SETUP, if it is your own: seedwise never runs one just "
    "because STUDY.DB names it. Its module is also looked for beside STUDY.DB.",
)
metric = click.option(
    "--metric",
    help="Metric that decides, as in `seedwise compare`.  [default: the one that was fixed]",
)

margin = click.option(
    "--margin",
    type=float,
    help="Largest difference of accuracy that does not matter, as a fraction: 0.005 is half "
    "a point. Allows the verdict equivalent.  [default: the difference of [stop]]",
)
cost = click.option(
    "--cost",
    help="Cost of a run, lower is better: seconds, or a metric. Asks whether a setup is "
    "cheaper by more than --saving and not worse by the margin.",
)
saving = click.option(
    "--saving",
    type=click.FloatRange(0, 1, max_open=True),
    help="Saving to show, as a share of the cost: 0.1 is a tenth.  [default: any]",
)

VERDICT = (
    click.option(
        "--metric",
        help="Metric that decides: accuracy, smoothed_accuracy:beta=10, a metric that the runs "
        "returned, or module:function.  [default: matched accuracy for the sign, accuracy for "
        "the size]",
    ),
    better,
    margin,
    cost,
    saving,
    click.option(
        "--confidence",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="Coverage of the intervals.  [default: 0.95]",
    ),
    click.option(
        "--paired/--unpaired",
        default=None,
        help="Compare runs of the same seed, or all runs as unrelated.  [default: by the seeds]",
    ),
    click.option(
        "--over",
        type=click.Choice(["mean", "standardised", "iqm"]),
        help="Combine the tasks of a suite by the mean of their differences, of standardised "
        "differences, or by the interquartile mean of all scores.  [default: mean]",
    ),
)
"""Options that say how a verdict is reached: `Study.compare` has them by the same names."""


def verdict(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command every option of `VERDICT`."""
    for option in reversed(VERDICT):
        command = option(command)
    return command
