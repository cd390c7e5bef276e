"""Importers: results of other programs, read as runs with their setup, seed and metrics.

Each format is a reader (`Importer`) that gives rows of named cells. What is setup, seed or metric,
and which row of a run counts, is decided once for all of them.
"""
