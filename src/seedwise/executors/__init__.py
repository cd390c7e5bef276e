"""Where runs are made: executors, and what a worker does with a job.

A worker loads this package and `live.events`, neither comparisons nor the store: it starts in a
third of the time.
"""
