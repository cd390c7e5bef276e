"""Values of comparisons as things to read: tables for papers."""

from seedwise.report.papers import Cell, PaperRow, paper_table, table_rows

__all__ = ["Cell", "PaperRow", "paper_table", "table_rows"]
