"""Hugging Face's Trainer: a callback that keeps the evaluation predictions of a run.

In a training function of a Study, return what `CollectRun` has kept; in a job of its own,
`RecordRun` puts it into the study file when the training ends.

    def train(seed):
        run = CollectRun()
        arguments = TrainingArguments(..., seed=int(seed), eval_strategy="epoch")
        Trainer(..., args=arguments, compute_metrics=run.compute_metrics).train()
        return run.outcome
"""

from collections.abc import Callable
from os import PathLike
from typing import Any

import numpy as np

from seedwise.errors import ConfigError, MissingPackage
from seedwise.seeds import Seed
from seedwise.stats import accuracy
from seedwise.study import record

try:
    from transformers import (  # pyright: ignore[reportMissingImports]
        EvalPrediction,
        TrainerCallback,
        TrainerControl,
        TrainerState,
        TrainingArguments,
    )
except ModuleNotFoundError as error:
    raise MissingPackage(
        error.name or "transformers", "seedwise.adapters.huggingface", extra="huggingface"
    ) from None

__all__ = ["CollectRun", "RecordRun"]

_Compute = Callable[[EvalPrediction], dict[str, float]]


class CollectRun(TrainerCallback):
    """Keeps the predictions of the last evaluation of a classifier.

    The Trainer hands predictions to `compute_metrics` alone, so that is where they are taken; the
    evaluation examples must come in the same order in every run, as they do.

    Args:
        compute_metrics: The function that was `compute_metrics` before, if there was one.
    """

    def __init__(self, compute_metrics: _Compute | None = None) -> None:
        self._compute = compute_metrics
        self._outcome: dict[str, Any] = {}

    @property
    def outcome(self) -> dict[str, Any]:
        """What a training function returns: predictions and targets.

        Raises:
            ConfigError: No evaluation ran.
        """
        if not self._outcome:
            raise ConfigError(
                "the Trainer evaluated nothing: give it compute_metrics=run.compute_metrics, and "
                "evaluate, e.g. by eval_strategy='epoch'"
            )
        return dict(self._outcome)

    def compute_metrics(self, evaluation: EvalPrediction) -> dict[str, float]:
        """Keep the predictions; gives the metrics that the Trainer is to show."""
        first = evaluation.predictions
        logits = np.asarray(first[0] if isinstance(first, tuple) else first, dtype=np.float32)
        targets = np.asarray(evaluation.label_ids, dtype=np.int64)
        self._outcome = {"predictions": logits, "targets": targets}
        if self._compute is not None:
            return self._compute(evaluation)
        return {"accuracy": float(accuracy(logits, targets))}


class RecordRun(CollectRun):
    """Puts the run into a study file when the training has ended; a callback of the Trainer.

    Args:
        path: The study file.
        setup: Name of the setup.
        seed: The seed of the run.
        compute_metrics: As in `CollectRun`.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        setup: str,
        seed: int | tuple[int, int, int] | Seed,
        compute_metrics: _Compute | None = None,
    ) -> None:
        super().__init__(compute_metrics)
        self._path, self._setup, self._seed = path, setup, seed

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Record the run."""
        record(self._path, setup=self._setup, seed=self._seed, **self.outcome)
