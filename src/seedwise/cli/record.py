"""`seedwise record`: a run that was trained elsewhere."""

import re
from pathlib import Path

import click

from seedwise.cli import options
from seedwise.cli.base import Command
from seedwise.errors import ConfigError

__all__ = ["record"]

_VALUE = re.compile(r"(.+?)=([^=,]*)(?:,|$)")
"""NAME=VALUE. A name may hold = and commas, as recall@k=5 and map(0.5,0.95) do; a value not."""


@click.command(
    cls=Command,
    example=[
        "seedwise record study.db --setup mine --seed 3 --predictions p.npz",
        "seedwise record study.db --setup mine --seed 4 --metrics accuracy=0.93,f1=0.8",
        "seedwise record study.db --setup mine --seed 5 --scores s.npz",
    ],
    exits={0: "stored", 2: "nothing stored: the run is there already, or cannot be used"},
)
@options.study
@click.option("--setup", required=True, help="Name of the setup.")
@click.option("--seed", required=True, help="Seed of the run: 3, or 3/3/4 where streams differ.")
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    help="File of logits or probabilities: .npy, or .npz with `predictions` and optionally "
    "`targets`.",
)
@click.option(
    "--targets",
    type=click.Path(path_type=Path),
    help="File of class numbers, .npy or .npz; needed once per study.",
)
@click.option(
    "--scores",
    type=click.Path(path_type=Path),
    help="File of scores, .npz: an array per metric, one number per example; optionally `groups` "
    "and `examples`, the group and the name of each.",
)
@click.option(
    "--groups",
    type=click.Path(path_type=Path),
    help="File of the group of each example, .npy or .npz: patients, passages, videos.",
)
@options.called
@click.option(
    "--metrics", metavar="NAME=VALUE,...", help="Metrics of the run; accuracies are fractions."
)
@options.better
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Wall time of the training.",
)
def record(
    study: Path,
    setup: str,
    seed: str,
    predictions: Path | None,
    targets: Path | None,
    scores: Path | None,
    groups: Path | None,
    called: str | None,
    metrics: str | None,
    better: tuple[tuple[str, str], ...],
    seconds: float,
) -> None:
    """Store a run in STUDY.DB that was trained elsewhere.

    Makes the study file if there is none. Many jobs on one machine may record at once. Files with
    Python objects in them are refused: nothing is ever unpickled.
    """
    from seedwise.seeds import Seed
    from seedwise.study import record as store_run
    from seedwise.study.arrays import read_arrays, read_named

    values, ways = _parse_metrics(metrics or ""), options.better_of(better)
    if "" in ways and len(values) == 1:
        ways[next(iter(values))] = ways.pop("")
    elif "" in ways:
        raise ConfigError("--better does not say which metric; write e.g. --better wer=lower")
    logits = with_them = None
    if predictions is not None:
        logits, with_them = read_arrays(predictions, "predictions", "targets")
    if targets is not None:
        with_them, _ = read_arrays(targets, "targets")
    by_metric = {} if scores is None else read_named(scores)
    names, of_groups = by_metric.pop("examples", None), by_metric.pop("groups", None)
    if groups is not None:
        of_groups, _ = read_arrays(groups, "groups")
    store_run(
        study,
        setup=setup,
        seed=Seed.parse(seed),
        predictions=logits,
        targets=with_them,
        metrics=values,
        seconds=seconds,
        watch=lambda event: click.echo(f"note: {event.text}", err=True),
        better=ways,
        scores=by_metric or None,
        called=called,
        groups=of_groups,
        examples=names,
    )


def _parse_metrics(text: str) -> dict[str, float]:
    found = dict[str, float]()
    parts = list(_VALUE.finditer(text.strip()))
    for part in parts:
        try:
            number = float(part[2])
        except ValueError:
            number = None
        name = part[1].strip()
        if not name or number is None or name in found:
            parts = []
            break
        found[name] = number
    if text.strip() and "".join(part[0] for part in parts) != text.strip():
        raise ConfigError(
            f"metrics are written accuracy=0.93,loss=0.2, each name once; got {text!r}"
        )
    return found
