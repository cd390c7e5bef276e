"""Small records for tests of the study file."""

from datetime import UTC, datetime

import numpy as np

from seedwise.records import VIEWS, DatasetRecord, EpochRecord, RunRecord

ENDED = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)


def dataset(**changes):
    values = {
        "name": "imagenette",
        "fingerprint": "ab" * 32,
        "split": '"page"',
        "classes": ("n01440764", "n02102040"),
        "names": tuple(f"n01440764/{i}.JPEG" for i in range(6)),
        "targets": np.array([0, 0, 0, 1, 1, 1]),
    }
    return DatasetRecord(**(values | changes))


def run(value=0.5, state="finished", **changes):
    """A run of the dataset above, whose logits are all `value`."""
    values = {
        "state": state,
        "logits": np.full((2, 6, 2), value, np.float16) if state == "finished" else None,
        "views": VIEWS if state == "finished" else (),
        "epochs": (
            EpochRecord(
                epoch=0,
                figures={
                    "train_loss": 2.5,
                    "valid_loss": 1.5,
                    "accuracy": 0.25,
                    "smoothed_accuracy": 0.125,
                    "seconds": 17.25,
                },
            ),
        ),
        "seconds": 85.5,
        "made_by": {"device": "cpu", "threads": 2},
    }
    return RunRecord(**(values | changes))
