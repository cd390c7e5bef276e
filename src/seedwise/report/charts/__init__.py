"""Charts of what a study shows, as values: `KINDS` names them."""

from seedwise.report.charts.catalog import KINDS, chart, charts
from seedwise.report.charts.chart import Chart, Table

__all__ = ["KINDS", "Chart", "Table", "chart", "charts"]
