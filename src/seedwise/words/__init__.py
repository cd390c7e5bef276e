"""Comparisons in words: the verdict, its figures and cautions, as one view and its renderers."""

from seedwise.words.comparison import Comparison, TargetComparison
from seedwise.words.suite import SuiteComparison, SuiteView
from seedwise.words.view import Row, View, view

__all__ = [
    "Comparison",
    "Row",
    "SuiteComparison",
    "SuiteView",
    "TargetComparison",
    "View",
    "view",
]
