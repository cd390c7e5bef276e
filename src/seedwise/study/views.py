"""A study file to look at: its summary, its report, its charts and its runs."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from seedwise.comparison import Summary, run_table, summarise
from seedwise.comparison.metrics import check_better
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import MissingPackage
from seedwise.outputs import check_output, write_output

if TYPE_CHECKING:
    from pandas import DataFrame

    from seedwise.report.charts import Chart

__all__ = ["StudyViews"]


class StudyViews:
    """A study file that is shown. See `StudyReader`.

    Args:
        path: The study file.
        cache: As in `StudyReader`.
        better: As in `Study`.
    """

    def __init__(
        self, path: Path, *, cache: Path | None, better: Mapping[str, str] | None
    ) -> None:
        self.path = path
        self._cache = cache
        self._better = check_better(better or {})

    def summary(self) -> Summary:
        """The study's runs by setup, with their means and standard deviations."""
        with StudyRuns.open(self.path) as study:
            return summarise(study)

    def report(
        self,
        path: str | PathLike[str] = "report.html",
        *,
        setups: Sequence[str] = (),
        metric: str | None = None,
        margin: float | None = None,
        cost: str | None = None,
        saving: float | None = None,
    ) -> Path:
        """Write all that the study shows to one HTML file that needs no network.

        Args:
            path: The file; one that exists is replaced once the report is whole.
            setups: Their names, the baseline first; none for all that have a result.
            metric: As in `compare`.
            margin: As in `compare`.
            cost: As in `compare`.
            saving: As in `compare`.

        Returns:
            The file.

        Raises:
            StudyError: There is no result to show.
            ConfigError: A cost without a margin, or of a study that compares tasks.
        """
        from seedwise.report.page import report_html
        from seedwise.study.thumbnails import thumbnails

        file = Path(path)
        check_output(file, self.path)
        rule = {"margin": margin, "cost": cost, "saving": saving}
        said = {name: value for name, value in rule.items() if value is not None}
        with StudyRuns.open(self.path) as study:
            pictures = thumbnails(study, self._cache)
            page = report_html(
                study,
                setups,
                metric=metric,
                better=self._better,
                said=said,
                thumbnails=pictures,
            )
        write_output(file, page)
        return file

    def chart(self, kind: str, *setups: str, metric: str | None = None) -> "Chart":
        """One of the report's charts, to show in a notebook or to save as SVG or PNG.

        Args:
            kind: `forest`, `tasks`, `profile`, `runs`, `trace`, `curves`, `metrics`, `variance`,
                `sources`, `classes` or `images`.
            setups: Their names, the baseline first; none for all that have a result.
            metric: As in `compare`.

        Raises:
            UnknownName: No such kind of chart, or no such setup.
            StudyError: The study lacks what the chart takes.
        """
        from seedwise.report.charts import chart
        from seedwise.report.findings import Findings

        with StudyRuns.open(self.path) as study:
            return chart(kind, Findings(study, setups, metric=metric, better=self._better))

    def runs(self) -> "DataFrame":
        """Every stored run as a row of a pandas DataFrame.

        Columns: `setup`, the three seeds, `state`, `seconds`, `ended_at` (UTC), every metric
        (accuracies as fractions; NaN where a run has none), and `error`.

        Raises:
            MissingPackage: pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError:
            raise MissingPackage("pandas", "Study.runs()", extra="pandas") from None
        with StudyRuns.open(self.path) as study:
            table = run_table(study)
        return pandas.DataFrame(table.rows, columns=list(table.columns))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def _repr_html_(self) -> str | None:
        """The summary as a notebook shows it, once there is something."""
        return self.summary()._repr_html_() if self.path.exists() else None
