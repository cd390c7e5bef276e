"""Where runs are made: executors, and what a worker does with a job.

A worker loads this package and `live.events`, and neither statistics nor the store: it starts in
a quarter of the time.
"""
