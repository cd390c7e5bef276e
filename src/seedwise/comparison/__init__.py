"""Stored runs and statistics put together: frozen values to print or to draw."""

from seedwise.comparison.compare import Comparison, compare
from seedwise.comparison.stopping import Stop, StoppingRule, decisions
from seedwise.comparison.summary import SetupSummary, Summary, summarise

__all__ = [
    "Comparison",
    "SetupSummary",
    "Stop",
    "StoppingRule",
    "Summary",
    "compare",
    "decisions",
    "summarise",
]
