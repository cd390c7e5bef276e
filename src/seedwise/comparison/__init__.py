"""Stored runs and statistics put together: frozen values to print or to draw."""

from seedwise.comparison.compare import compare, compare_several
from seedwise.comparison.result import Comparison
from seedwise.comparison.rule import Rule
from seedwise.comparison.summary import SetupSummary, Summary, summarise
from seedwise.comparison.target import TargetComparison, compare_with_target

__all__ = [
    "Comparison",
    "Rule",
    "SetupSummary",
    "Summary",
    "TargetComparison",
    "compare",
    "compare_several",
    "compare_with_target",
    "summarise",
]
