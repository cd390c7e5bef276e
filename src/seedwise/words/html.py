"""A comparison as notebooks show it: plain HTML, all text escaped."""

from html import escape

from seedwise.comparison.result import ComparisonValues
from seedwise.figures import html_table, in_points
from seedwise.words.verdict import BY_NUMBER
from seedwise.words.view import Row, view

__all__ = ["comparison_html"]


def comparison_html(found: ComparisonValues) -> str:
    """The verdict in a sentence, and B - A under each metric on these images and on new ones."""
    told = view(found)
    said = f"<p>{escape(told.brief)}</p>"
    if told.exploratory:
        said += f"<p>{escape(BY_NUMBER)} {escape(told.exploratory)}</p>"
    of = (f"on these {found.called}", f"on new {found.called}") if told.images else ("interval",)
    columns = ("metric", "runs", "difference", *of, "p")
    return said + html_table(told.title, columns, (_cells(row, told.images) for row in told.rows))


def _cells(row: Row, images: bool) -> tuple[str, ...]:
    unit = " (points)" if in_points(row.metric) else ""
    ends = (row.these, row.new) if images else (row.these,)
    return f"{row.metric}{unit}", row.runs, row.estimate, *ends, row.p
