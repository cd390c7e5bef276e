"""Training functions of users, as a study finds them by name."""

import fcntl
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TARGETS = np.arange(200) % 10


def _logits(seed, skill):
    rng = np.random.default_rng([seed.init, seed.order, seed.augment])
    logits = rng.normal(size=(200, 10))
    logits[np.arange(200), TARGETS] += skill
    return logits


def plain(seed):
    return {"predictions": _logits(seed, 1.5), "targets": TARGETS}


def better(seed):
    return {"predictions": _logits(seed, 2.0), "targets": TARGETS}


def other_targets(seed):
    return {"predictions": _logits(seed, 1.5), "targets": TARGETS[::-1]}


def number(seed):
    return 0.9 + seed.init / 1000


def pid(seed):
    return os.getpid()


def modules_loaded(seed):
    return dict.fromkeys(sys.modules, 1.0)


def diverges(seed):
    return {"loss": float("nan")} if seed.init % 2 else {"loss": 1.0}


def fails_on_odd_seeds(seed):
    if seed.init % 2:
        raise RuntimeError(f"no luck with {seed}")
    return 1.0


def fails_where_told(seed):
    """The same code, on a machine that lets it fail."""
    if os.environ.get("TRAININGS_FAIL"):
        raise ZeroDivisionError("told to")
    return plain(seed)


def dies(seed):
    if seed.init == 1:
        os._exit(9)
    return 1.0


def interrupts(seed):
    if seed.init == 2:
        raise KeyboardInterrupt
    return 1.0


def hangs_on_odd_seeds(seed):
    if seed.init % 2:
        time.sleep(600)
    return 1.0


class OutOfMemoryError(RuntimeError):
    """As torch.OutOfMemoryError is, which this module does without."""


def needs_room(seed):
    """Runs out of memory wherever another run with the same `order` is under way, anywhere.

    The first that has the room keeps it until another has been refused, however slowly that
    other's worker starts.
    """
    room = Path(tempfile.gettempdir(), f"seedwise-room-{seed.order}")
    refused = room.with_suffix(".refused")
    with room.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            refused.touch()
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB") from None
        give_up = time.monotonic() + 60
        while not refused.exists() and time.monotonic() < give_up:
            time.sleep(0.01)
    return 1.0


def never_has_room(seed):
    raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 TiB")


def drifts(seed):
    """Predictions that depend on when they are made, as on a machine that rounds as it likes."""
    noise = np.random.default_rng().normal(scale=0.05, size=(200, 10))
    return {"predictions": _logits(seed, 1.5) + noise, "targets": TARGETS}


def crossed(seed):
    """One number with a part from the initial weights and a part from the order."""
    effects = np.random.default_rng(0).normal(size=(2, 10))
    return float(effects[0, seed.init % 10] + 0.1 * effects[1, seed.order % 10])


def without_targets(seed):
    return {"predictions": _logits(seed, 1.5), "f1": 0.5}


def few_classes(seed):
    return {"predictions": _logits(seed, 1.5)[:, :4]}


def draws(seed):
    """One number from each generator that a seed gives, and from the global ones."""
    seed.everything()
    return {
        "numpy": float(seed.numpy("order").random()),
        "python": seed.python("augment", 1).random(),
        "integer": float(seed.integer("init")),
        "global": float(np.random.random() + random.random()),  # noqa: NPY002
    }


def logs(seed):
    """Figures after each of five epochs, as a training of somebody's logs them."""
    for epoch in range(1, 6):
        seed.log(epoch=epoch, loss=np.float32(1 / epoch))
        seed.log({"val/acc": 0.1 * epoch + seed.init / 100}, epoch=epoch)
    return {"accuracy": 0.5 + seed.init / 100}


def logs_words(seed):
    seed.log(epoch=1, accuracy="high")
    return 1.0
