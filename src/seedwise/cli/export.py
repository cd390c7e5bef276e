"""`seedwise export`: runs as CSV or Parquet."""

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seedwise.cli import options
from seedwise.cli.base import Command, write
from seedwise.errors import MissingPackage
from seedwise.figures import printable
from seedwise.outputs import check_output, write_output

if TYPE_CHECKING:
    from seedwise.comparison import RunTable

__all__ = ["export"]


@click.command(
    cls=Command,
    example=["seedwise export study.db -o runs.csv"],
    exits={0: "written", 2: "no such study, or the file cannot be written"},
)
@options.study
@options.output
def export(study: Path, output: Path | None) -> None:
    """Write the runs of STUDY.DB as CSV or Parquet, one row a run.

    Setup, the three seeds, state, seconds, when it ended, and every metric; accuracies are
    fractions. Diverged and failed runs have no metrics. In CSV a text that a spreadsheet would
    take for a formula (it begins with =, +, - or @) has an apostrophe before it, and control
    characters are spelled out. Parquet is written where OUTPUT ends in .parquet, and needs
    `seedwise[parquet]`.
    """
    from seedwise.cli.console import long_reading
    from seedwise.comparison import run_table
    from seedwise.comparison.study_runs import StudyRuns

    if output is not None:
        check_output(output, study)
    with long_reading(study), StudyRuns.open(study) as stored:
        runs = run_table(stored)
    if output is not None and output.suffix == ".parquet":
        write_output(output, _as_parquet(runs))
    else:
        write(output, _as_csv(runs))


def _as_csv(runs: "RunTable") -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(_cell, runs.columns))
    ended = runs.columns.index("ended_at")
    for row in runs.rows:
        cells = ["" if cell is None else cell for cell in row]
        cells[ended] = row[ended].isoformat()
        writer.writerow(map(_cell, cells))
    return file.getvalue()


def _cell(value: object) -> object:
    """A value for CSV: a text commands neither the terminal nor a spreadsheet; numbers stay.

    >>> _cell("=1+2"), _cell(" @sum"), _cell("'+1"), _cell("a-b"), _cell(-0.5)
    ("'=1+2", "' @sum", "''+1", 'a-b', -0.5)
    """
    if not isinstance(value, str):
        return value
    return f"'{printable(value)}" if _FORMULA.match(value) else printable(value)


_FORMULA = re.compile(r"[\s\"']*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n]|\s*\|")
"""Text that Excel, LibreOffice and Google Sheets may take for a formula, also after spaces. One
with an apostrophe before such a sign gets another, so that who reads CSV can undo it."""


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
