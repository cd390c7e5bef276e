"""A table for a paper: setups as rows, metrics as columns; mean, standard deviation, interval."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import scipy

from seedwise.comparison import SetupSummary, summarise
from seedwise.comparison.copies import independent_runs
from seedwise.comparison.metrics import directions_note, find_metric
from seedwise.comparison.scores import metric_values
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import DataError
from seedwise.figures import in_points, places, printable, spread
from seedwise.stats.intervals import Sample

__all__ = ["Cell", "PaperRow", "Sampled", "escaped_markdown", "paper_table", "table_rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One metric of one setup.

    Attributes:
        sample: The finished runs.
        low: Lower end of Student's t interval of their mean; -inf for one run.
        high: Upper end; inf for one run.
    """

    sample: Sample
    low: float
    high: float

    @classmethod
    def of(cls, sample: Sample, confidence: float, test_to_train: float = 0.0) -> "Cell":
        """The cell of some runs.

        Args:
            sample: The metric's values, summed up.
            confidence: Coverage of the interval of the mean, in (0, 1).
            test_to_train: Of folds, test examples for each training example
                (`stats.intervals.corrected_for_folds`); 0 for other runs.

        >>> cell = Cell.of(Sample.of(np.array([0.93, 0.94, 0.92])), 0.95)
        >>> f"{cell.low:.4f} {cell.high:.4f}"
        '0.9052 0.9548'
        """
        if sample.n < 2:
            return cls(sample=sample, low=-math.inf, high=math.inf)
        t = float(scipy.special.stdtrit(sample.n - 1, (1 + confidence) / 2))
        half = t * sample.sd * math.sqrt(1 / sample.n + test_to_train)
        return cls(sample=sample, low=sample.mean - half, high=sample.mean + half)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """One setup.

    Attributes:
        setup: Its name.
        finished: Number of finished runs that share no seed, which the cells are of.
        diverged: Number of diverged runs.
        cells: Its cell under each metric that it has.
    """

    setup: str
    finished: int
    diverged: int
    cells: Mapping[str, Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Runs of a setup, of which a row is made.

    Attributes:
        setup: Name of the setup.
        finished: Number of finished runs.
        diverged: Number of diverged runs.
        samples: The finished runs under each metric.
        test_to_train: Of folds, test examples for each training example; 0 for other runs.
    """

    setup: str
    finished: int
    diverged: int
    samples: Mapping[str, Sample]
    test_to_train: float = 0.0

    def row(self, confidence: float) -> PaperRow:
        """The row, with intervals of some coverage in (0, 1)."""
        return PaperRow(
            setup=self.setup,
            finished=self.finished,
            diverged=self.diverged,
            cells={
                name: Cell.of(each, confidence, self.test_to_train)
                for name, each in self.samples.items()
            },
        )


def table_rows(
    study: StudyRuns, metrics: Sequence[str], *, confidence: float
) -> tuple[PaperRow, ...]:
    """The rows of a table of all setups of a study that have a finished run.

    Args:
        study: The study.
        metrics: Names of the metrics; none for those of the study's summary. A function is
            loaded, so that no name from a study file belongs here.
        confidence: Coverage of the intervals, in (0, 1).

    Raises:
        DataError: The confidence is out of range, or no setup has a finished run.
        UnknownName: A setup has no such metric.
        StudyError: Some of a setup's runs have a metric and some do not.
    """
    if not 0 < confidence < 1:
        raise DataError(f"confidence must be between 0 and 1, got {confidence}")
    setups = [setup for setup in summarise(study).setups if setup.finished]
    if not setups:
        raise DataError(f"{study.path} has no finished run; there is nothing to put into a table")
    return tuple(
        Sampled(
            setup=setup.name,
            finished=setup.finished - setup.sharing - setup.identical,
            diverged=setup.diverged,
            samples=_samples(study, setup, metrics),
            test_to_train=study.test_to_train,
        ).row(confidence)
        for setup in setups
    )


def _samples(
    study: StudyRuns, setup: SetupSummary, metrics: Sequence[str]
) -> Mapping[str, Sample]:
    if not metrics:
        return setup.metrics
    runs = independent_runs(run for run in study.of(setup.name) if run.state == "finished")
    values = {
        name: metric_values(study, find_metric(name, runs, code=True), runs) for name in metrics
    }
    return {name: Sample.of(np.array(list(each.values()))) for name, each in values.items()}


def paper_table(
    rows: Sequence[PaperRow],
    *,
    form: str,
    confidence: float,
    stated: Mapping[str, str] | None = None,
    test_to_train: float = 0.0,
) -> str:
    """The table as text, with a note on what its figures are.

    Args:
        rows: What `table_rows` gave.
        form: `latex` or `markdown`.
        confidence: Coverage of the intervals in the rows.
        stated: The directions that the study states, by metric.
        test_to_train: Of folds, test examples for each training example; 0 for other runs.
    """
    metrics = tuple(dict.fromkeys(metric for row in rows for metric in row.cells))
    style = _STYLES[form]
    lost = any(row.diverged for row in rows)
    digits = {metric: _digits(metric, rows) for metric in metrics}
    head = ("setup", "runs", *(("diverged",) if lost else ()), *map(_title, metrics))
    body = [
        (
            row.setup,
            str(row.finished),
            *((str(row.diverged),) if lost else ()),
            *(
                _figures(metric, row.cells.get(metric), row.finished, style, digits[metric])
                for metric in metrics
            ),
        )
        for row in rows
    ]
    note = (
        f"Mean ± standard deviation (ddof 1) over runs with different seeds, and the "
        f"{100 * confidence:g} % interval of the mean (Student's t; for new seeds)."
    )
    if test_to_train:
        note = (
            f"Mean ± standard deviation (ddof 1) over folds, and the {100 * confidence:g} % "
            "interval of the mean, corrected for training data that folds share (Nadeau & Bengio "
            "2003)."
        )
    ways = directions_note(metrics, stated or {})
    return style.table(head, body, f"{note} {ways[0].upper()}{ways[1:]}." if ways else note)


def escaped_markdown(text: str) -> str:
    r"""Text that stands in Markdown, on one line, as it is: GitHub makes no link of it either.

    >>> print(escaped_markdown("a_b | <c>"))
    a\_b \| \<c\>
    >>> print(escaped_markdown("@all, see #12"))
    @<!-- -->all, see \#<!-- -->12
    """
    line = " ".join(printable(text).split())
    escaped = "".join(f"\\{each}" if each in "\\`*_{}[]<>|~$#" else each for each in line)
    return _LINKED.sub(r"\1<!-- -->", escaped)


_LINKED = re.compile(r"(@(?=\w)|#(?=\d)|\bGH-(?=\d)|\b\w+:(?=//)|\bwww\.)", re.IGNORECASE)
"""Starts of a mention, a reference or a link on GitHub: a comment there ends it, unseen."""


def _title(metric: str) -> str:
    return f"{metric} (%)" if in_points(metric) else metric


def _digits(metric: str, rows: Sequence[PaperRow]) -> int | None:
    """Decimals of a column: those that its shortest interval leaves."""
    cells = (row.cells[metric] for row in rows if metric in row.cells)
    known = [places(metric, cell.low, cell.high) for cell in cells]
    return max((each for each in known if each is not None), default=None)


def _figures(
    metric: str, cell: Cell | None, runs: int, style: "_Style", digits: int | None
) -> str:
    if cell is None or not cell.sample.n:
        return "-"
    some = f" (n = {cell.sample.n})" if cell.sample.n != runs else ""
    mean = spread(metric, cell.sample.mean, digits)
    if cell.sample.n < 2:
        return mean + some
    sd = spread(metric, cell.sample.sd, digits)
    interval = f"[{spread(metric, cell.low, digits)}, {spread(metric, cell.high, digits)}]"
    return f"{mean} {style.plus_minus} {sd} {interval}{some}"


class _Markdown:
    plus_minus = "±"

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> str:
        """A table as GitHub has it."""
        lines = [
            self._line([self._escaped(each) for each in head]),
            self._line(["---", *("---:" for _ in head[1:])]),
            *(self._line([self._escaped(setup), *figures]) for setup, *figures in rows),
        ]
        return "\n".join([*lines, "", self._escaped(note), ""])

    def _line(self, cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    def _escaped(self, text: str) -> str:
        return escaped_markdown(text)


class _Latex:
    plus_minus = r"$\pm$"

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> str:
        """A tabular of the package booktabs."""
        lines = [
            f"% {' '.join(printable(note).replace('±', '+-').split())}",
            r"% \usepackage{booktabs}",
            rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            r"\toprule",
            self._line([self._escaped(each) for each in head]),
            r"\midrule",
            *(self._line([self._escaped(setup), *figures]) for setup, *figures in rows),
            r"\bottomrule",
            r"\end{tabular}",
        ]
        return "\n".join([*lines, ""])

    def _line(self, cells: Sequence[str]) -> str:
        return rf"{' & '.join(cells)} \\"

    def _escaped(self, text: str) -> str:
        return "".join(_LATEX.get(each, each) for each in " ".join(printable(text).split()))


_Style = _Markdown | _Latex
_STYLES: Mapping[str, _Style] = MappingProxyType({"latex": _Latex(), "markdown": _Markdown()})
_LATEX: Mapping[str, str] = MappingProxyType(
    {
        "\\": r"\textbackslash{}",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        **{each: f"\\{each}" for each in "{}$&#%_"},
    }
)
