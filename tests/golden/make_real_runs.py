"""Makes real_runs.npz: what tests need of 82 real trainings, without their logits.

python tests/golden/make_real_runs.py ../shared/reference/runs/runs.npz
"""

import sys
from pathlib import Path

import numpy as np

from seedwise.stats import (
    accuracy,
    cross_entropy,
    matched_accuracy,
    ranked_accuracy,
    smoothed_accuracy,
)

COPIED = ("name", "setup", "init", "order", "augment", "targets")


def main() -> None:
    with np.load(sys.argv[1]) as source:
        logits, targets = source["logits"], source["targets"].astype(np.int64)
        copied = {name: source[name] for name in COPIED}
    right = logits.argmax(axis=-1) == targets
    np.savez_compressed(
        Path(__file__).with_name("real_runs.npz"),
        **copied,
        shape=np.array(right.shape),
        right=np.packbits(right),
        accuracy=accuracy(logits, targets),
        accuracy_original=accuracy(logits, targets, views="original"),
        smoothed_accuracy=smoothed_accuracy(logits, targets),
        matched_accuracy=matched_accuracy(logits, targets),
        ranked_accuracy=ranked_accuracy(logits, targets),
        cross_entropy=cross_entropy(logits, targets),
    )


if __name__ == "__main__":
    main()
