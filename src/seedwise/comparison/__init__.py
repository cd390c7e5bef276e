"""Stored runs and statistics put together: frozen values to print or to draw."""

from seedwise.comparison.compare import Comparison, compare
from seedwise.comparison.runs import RunTable, run_table
from seedwise.comparison.summary import SetupSummary, Summary, summarise

__all__ = [
    "Comparison",
    "RunTable",
    "SetupSummary",
    "Summary",
    "compare",
    "run_table",
    "summarise",
]
