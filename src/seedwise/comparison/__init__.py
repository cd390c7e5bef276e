"""Stored runs and statistics put together: frozen values to print or to draw."""

from seedwise.comparison.compare import Comparison, compare
from seedwise.comparison.nulls import NullComparisons
from seedwise.comparison.repeat import RepeatComparison
from seedwise.comparison.summary import SetupSummary, Summary, summarise
from seedwise.comparison.variance import Variance, variance

__all__ = [
    "Comparison",
    "NullComparisons",
    "RepeatComparison",
    "SetupSummary",
    "Summary",
    "Variance",
    "compare",
    "summarise",
    "variance",
]
