"""Charts of what a study shows, as values: `KINDS` names them."""

from seedwise.report.charts.catalog import KINDS, chart, charts
from seedwise.report.charts.chart import Chart, Key, Table

__all__ = ["KINDS", "Chart", "Key", "Table", "chart", "charts"]
