"""Executors, which make runs, and a worker's part of it.

A worker loads this package and `live.events`, neither comparisons nor the store: it starts in a
third of the time.
"""
