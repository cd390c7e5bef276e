"""Arguments and options that several commands have, said once."""

from pathlib import Path
from typing import Any, Literal

import click

from seedwise.errors import ConfigError

__all__ = ["better", "better_of", "cache", "device", "jobs", "pack", "source", "study"]

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
    help="Where to train; auto takes CUDA where there is one.",
)
jobs = click.option(
    "--jobs", type=click.IntRange(min=1), help="Runs side by side; chosen if not given."
)


class _Better(click.ParamType):
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
    type=_Better(),
    metavar="[METRIC=]lower|higher",
    multiple=True,
    help="Which values of a metric are better, where its name does not settle it; give it again "
    "for more.",
)


def better_of(given: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The directions by metric; under "" that of the metric that is meant without its name."""
    found = dict(given)
    if len(found) < len(given):
        raise ConfigError("--better says of one metric twice which way is better; say it once")
    return found


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
    help="Runs side by side on one GPU; auto: as many as --jobs says, or else as pay and have "
    "room. With two numbers, the smaller.  [default: auto; for Ray 1]",
)
source = click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="Folder or archive that holds the study's dataset, if not in the cache.",
)
