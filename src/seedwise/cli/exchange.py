"""`seedwise record`, `import`, `export` and `table`: runs in from elsewhere, and out."""

import csv
import io
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seedwise.cli import options
from seedwise.cli.base import Command
from seedwise.errors import ConfigError, MissingPackage
from seedwise.figures import count
from seedwise.outputs import check_output, write_output

if TYPE_CHECKING:
    from seedwise.comparison import RunTable

__all__ = ["export", "import_", "record", "table"]

_VALUE = re.compile(r"(.+?)=([^=,]*)(?:,|$)")
"""NAME=VALUE. A name may hold = and commas, as recall@k=5 and map(0.5,0.95) do; a value not."""

_output = click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write.  [default: stdout]"
)


@click.command(
    cls=Command,
    example=[
        "seedwise record study.db --setup mine --seed 3 --predictions p.npz",
        "seedwise record study.db --setup mine --seed 4 --metrics accuracy=0.93,f1=0.8",
    ],
    exits={0: "stored", 2: "nothing stored: the run is there already, or cannot be used"},
)
@options.study
@click.option("--setup", required=True, help="Name of the setup.")
@click.option("--seed", required=True, help="Seed of the run: 3, or 3/3/4 where streams differ.")
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    help="File of logits or probabilities: .npy, or .npz with `predictions`, perhaps `targets`.",
)
@click.option(
    "--targets",
    type=click.Path(path_type=Path),
    help="File of class numbers, .npy or .npz; needed once a study.",
)
@click.option("--metrics", metavar="NAME=VALUE,...", help="Values; accuracies are fractions.")
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
    from seedwise.study.arrays import read_arrays

    values, ways = _parse_metrics(metrics or ""), options.better_of(better)
    if "" in ways and len(values) == 1:
        ways[next(iter(values))] = ways.pop("")
    elif "" in ways:
        raise ConfigError("--better does not say of which metric; write e.g. --better wer=lower")
    logits = with_them = None
    if predictions is not None:
        logits, with_them = read_arrays(predictions, "predictions", "targets")
    if targets is not None:
        with_them, _ = read_arrays(targets, "targets")
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


@click.command(
    "import",
    cls=Command,
    example=[
        "seedwise import runs.csv study.db",
        "seedwise import wandb.csv study.db --setup method --metric val/acc=accuracy",
    ],
    exits={0: "stored", 2: "nothing stored: a file cannot be used, or a column is not known"},
)
@click.argument("runs", metavar="RUNS.CSV", type=click.Path(path_type=Path))
@options.study
@click.option("--setup", metavar="COLUMN", help="Column that names the setup.")
@click.option("--seed", metavar="COLUMN", help="Column of the seed.")
@click.option("--unpaired", is_flag=True, help="Number the runs: no two setups share a seed.")
@click.option(
    "--metric",
    "metrics",
    metavar="COLUMN[=NAME]",
    multiple=True,
    help="Column of a metric; give it again for more.",
)
@options.better
@click.option("--last", is_flag=True, help="Of the rows of a run (epochs, steps) take the last.")
@click.option("--best", metavar="METRIC", help="Of the rows of a run take the best by a metric.")
@click.option("--task", metavar="COLUMN", help="Column of the dataset or task: a metric for each.")
@click.option("--fold", metavar="COLUMN", help="Column of the fold of a cross-validation.")
@click.option(
    "--test-ratio",
    type=click.FloatRange(0, min_open=True),
    help="Test examples of a fold for each training example.  [default: 1 / (folds - 1)]",
)
@click.option(
    "--rows-are-runs", is_flag=True, help="Each row is a run, also where equal ones are there."
)
def import_(
    runs: Path,
    study: Path,
    setup: str | None,
    seed: str | None,
    unpaired: bool,
    metrics: tuple[str, ...],
    better: tuple[tuple[str, str], ...],
    last: bool,
    best: str | None,
    task: str | None,
    fold: str | None,
    test_ratio: float | None,
    rows_are_runs: bool,
) -> None:
    """Store runs that a CSV file lists, e.g. from a tracker.

    Either a row for each run with columns for setup, seed and metrics, or a row for each value
    with columns setup, seed, metric and value; W&B's and MLflow's exports of their tables of runs
    as they are. What the options do not say is guessed, and what was taken as what is printed.
    Runs with the same seed are compared as pairs: where seeds mean nothing, use --unpaired.
    """
    from seedwise.study.columns import Mapped
    from seedwise.study.importing import import_runs

    if unpaired and seed is not None:
        raise ConfigError("give --seed COLUMN or --unpaired, not both")
    if last and best:
        raise ConfigError("give --last or --best METRIC, not both")
    if test_ratio is not None and fold is None:
        raise ConfigError("--test-ratio belongs to folds; give --fold COLUMN too")
    mapped = Mapped(
        setup=setup,
        seed=seed,
        metrics=_named(metrics),
        unpaired=unpaired,
        fold=fold,
        task=task,
        last=last,
        best=best,
        rows_are_runs=rows_are_runs,
        test_ratio=test_ratio,
    )
    found = import_runs(runs, study, mapped, better=options.better_of(better))
    for line in found.taken:
        click.echo(line)
    if found.directions:
        click.echo(found.directions)
    for line in found.notes:
        click.echo(f"note: {line}")
    for line in found.left_out:
        click.echo(f"left out: {line}")
    known = f", {found.known:,} were there already" if found.known else ""
    click.echo(
        f"{study}: {count(found.stored, 'run')} of {count(len(found.setups), 'setup')} "
        f"stored{known}"
    )


def _named(metrics: tuple[str, ...]) -> dict[str, str]:
    """The columns of metrics, each with its metric's name."""
    found = dict[str, str]()
    for text in metrics:
        column, _, name = text.rpartition("=") if "=" in text else (text, "", text)
        if not column or not name.strip() or column in found or name in found.values():
            raise ConfigError(f"--metric is COLUMN or COLUMN=NAME, each name once; got {text!r}")
        found[column] = name
    return found


@click.command(
    cls=Command,
    example=["seedwise export study.db -o runs.csv"],
    exits={0: "written", 2: "no such study, or the file cannot be written"},
)
@options.study
@_output
def export(study: Path, output: Path | None) -> None:
    """Write the runs of STUDY.DB as CSV or Parquet, one row a run.

    Setup, the three seeds, state, seconds, when it ended, and every metric; accuracies are
    fractions. Diverged and failed runs have no metrics. Parquet is written where OUTPUT ends in
    .parquet, and needs `seedwise[parquet]`.
    """
    from seedwise.comparison import run_table
    from seedwise.comparison.study_runs import StudyRuns

    if output is not None:
        check_output(output, study)
    with StudyRuns.open(study) as stored:
        runs = run_table(stored)
    if output is not None and output.suffix == ".parquet":
        write_output(output, _as_parquet(runs))
    else:
        _write(output, _as_csv(runs))


def _write(output: Path | None, text: str) -> None:
    if output is None:
        sys.stdout.write(text)
    else:
        write_output(output, text)


def _as_csv(runs: "RunTable") -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(runs.columns)
    ended = runs.columns.index("ended_at")
    for row in runs.rows:
        cells = ["" if cell is None else cell for cell in row]
        cells[ended] = row[ended].isoformat()
        writer.writerow(cells)
    return file.getvalue()


def _as_parquet(runs: "RunTable") -> bytes:
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise MissingPackage("pyarrow", "Parquet", extra="parquet") from None
    words = {"setup": pyarrow.string(), "state": pyarrow.string(), "error": pyarrow.string()}
    others = {
        **dict.fromkeys(("init", "order", "augment"), pyarrow.int64()),
        "ended_at": pyarrow.timestamp("us", tz="UTC"),
    }
    types = words | others
    schema = pyarrow.schema([(c, types.get(c, pyarrow.float64())) for c in runs.columns])
    rows = [dict(zip(runs.columns, row, strict=True)) for row in runs.rows]
    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), file)
    return file.getvalue()


@click.command(
    cls=Command,
    example=["seedwise table study.db --format latex --metric accuracy -o table.tex"],
    exits={0: "written", 2: "no such study or metric, or no finished run"},
)
@options.study
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "latex"]),
    default="markdown",
    show_default=True,
    help="LaTeX needs the package booktabs.",
)
@click.option(
    "--metric", "metrics", multiple=True, help="A column; give it again for more.  [default: all]"
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Coverage of the intervals.",
)
@_output
def table(
    study: Path, form: str, metrics: tuple[str, ...], confidence: float, output: Path | None
) -> None:
    """Write the setups of STUDY.DB as a table for a paper.

    Mean ± standard deviation (ddof 1), number of runs, and the interval of the mean. Diverged
    runs are counted beside the others, and have no part in the figures.
    """
    from seedwise.comparison.directions import stated_directions
    from seedwise.comparison.study_runs import StudyRuns
    from seedwise.report import paper_table, table_rows

    if output is not None:
        check_output(output, study)
    with StudyRuns.open(study) as runs:
        rows = table_rows(runs, metrics, confidence=confidence)
        stated = stated_directions(runs)
    text = paper_table(rows, form=form, confidence=confidence, stated=stated)
    _write(output, text)
