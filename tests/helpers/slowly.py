"""Trainings that take a while, or for ever, and say where they are made."""

import os
import time
from pathlib import Path

from seedwise.study import fake


def train(seed):
    """Two hundredths of a second: time to be killed in. From seed 10 on, as long as it is held."""
    folder = os.environ.get("SEEDWISE_TEST_PIDS")
    if folder:
        Path(folder, str(os.getpid())).touch()
        while seed.init >= 10 and Path(folder, "hold").exists():
            time.sleep(0.02)
    time.sleep(0.02)
    return fake.train(seed)


def train_for_seconds(seed):
    """Long enough to be under way while a machine goes away."""
    time.sleep(3)
    return fake.train(seed)


def for_ever(seed):
    if seed.init == 0:
        return fake.train(seed)
    time.sleep(600)
    return None
