"""Stored runs and statistics put together: frozen values to print or to draw."""

from seedwise.comparison.compare import TargetValues, compare, compare_several, compare_with_target
from seedwise.comparison.nulls import NullComparisons
from seedwise.comparison.repeat import RepeatComparison
from seedwise.comparison.result import ComparisonValues
from seedwise.comparison.rule import Rule
from seedwise.comparison.stop import Stop, StoppingRule
from seedwise.comparison.stopping import decisions
from seedwise.comparison.summary import RunTable, SetupSummary, Summary, run_table, summarise
from seedwise.comparison.variance import Variance, variance

__all__ = [
    "ComparisonValues",
    "NullComparisons",
    "RepeatComparison",
    "Rule",
    "RunTable",
    "SetupSummary",
    "Stop",
    "StoppingRule",
    "Summary",
    "TargetValues",
    "Variance",
    "compare",
    "compare_several",
    "compare_with_target",
    "decisions",
    "run_table",
    "summarise",
    "variance",
]
