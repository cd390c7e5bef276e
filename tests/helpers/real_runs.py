"""What is kept of 82 real trainings: tests/golden/README.md says what."""

from pathlib import Path

import numpy as np

with np.load(Path(__file__).parents[1] / "golden/real_runs.npz") as _file:
    REAL_RUNS = {name: _file[name] for name in _file.files}


def of_setup(metric, setup):
    """The metric of the 16 runs of a setup, by seed."""
    chosen = (REAL_RUNS["setup"] == setup) & (REAL_RUNS["init"] < 16)
    return REAL_RUNS[metric][chosen]


def right_images(setup):
    """For each image, the share of its two views that each of the 16 runs got right."""
    runs, views, examples = REAL_RUNS["shape"]
    bits = np.unpackbits(REAL_RUNS["right"])[: runs * views * examples]
    chosen = (REAL_RUNS["setup"] == setup) & (REAL_RUNS["init"] < 16)
    return bits.reshape(runs, views, examples)[chosen].mean(axis=1)
