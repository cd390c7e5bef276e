"""The report as one HTML file."""

from seedwise.report.page.parts import Pictures, Thumbnails
from seedwise.report.page.render import report_html

__all__ = ["Pictures", "Thumbnails", "report_html"]
