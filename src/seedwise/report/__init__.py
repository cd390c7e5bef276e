"""Values of comparisons as things to read: tables for papers."""

from seedwise.report.papers import Cell, Row, paper_table, table_rows

__all__ = ["Cell", "Row", "paper_table", "table_rows"]
