"""Stored runs and statistics put together: frozen values to print or to draw."""

from seedwise.comparison.compare import compare, compare_several
from seedwise.comparison.nulls import NullComparisons
from seedwise.comparison.repeat import RepeatComparison
from seedwise.comparison.result import ComparisonValues
from seedwise.comparison.rule import Rule
from seedwise.comparison.runs import RunTable, run_table
from seedwise.comparison.stopping import Stop, StoppingRule, decisions
from seedwise.comparison.summary import SetupSummary, Summary, summarise
from seedwise.comparison.target import TargetValues, compare_with_target
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
