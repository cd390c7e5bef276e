"""PyTorch Lightning: a callback that keeps the validation predictions of a run.

In a training function of a Study, return what `CollectRun` has kept; in a job of its own,
`RecordRun` puts it into the study file when the training ends.

    def train(seed):
        seed_everything(int(seed))
        run = CollectRun()
        Trainer(max_epochs=5, callbacks=[run]).fit(Model(), train_batches, valid_batches)
        return run.outcome
"""

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from seedwise.errors import ConfigError, MissingPackage
from seedwise.seeds import Seed
from seedwise.study import record

try:
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import Callback
except ModuleNotFoundError as error:
    raise MissingPackage(
        error.name or "lightning", "seedwise.adapters.lightning", extra="lightning"
    ) from None

__all__ = ["CollectRun", "RecordRun"]


class CollectRun(Callback):
    """Keeps the predictions of the last validation, or else the metrics that were logged.

    The predictions are kept where `validation_step` returns `{"predictions": logits, "targets":
    classes}`; the validation batches must come in the same order in every run.
    """

    def __init__(self) -> None:
        self._parts: list[tuple[Any, Any]] = []
        self._metrics: dict[str, float] = {}

    @property
    def outcome(self) -> dict[str, Any]:
        """What a training function returns: predictions and targets, or metrics by name.

        Raises:
            ConfigError: No validation ran, or nothing was returned or logged in it.
        """
        if self._parts:
            predictions, targets = zip(*self._parts, strict=True)
            return {"predictions": np.concatenate(predictions), "targets": np.concatenate(targets)}
        if not self._metrics:
            raise ConfigError(
                "Lightning validated nothing that could be kept: return {'predictions': logits, "
                "'targets': classes} from validation_step, or log a metric in it"
            )
        return dict(self._metrics)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse what would keep a part of the predictions only."""
        if trainer.world_size > 1:
            raise ConfigError(
                f"a run is collected on one device, this Trainer has {trainer.world_size}; give "
                "it devices=1"
            )

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the validation before."""
        self._parts = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the predictions of a batch."""
        if isinstance(outputs, Mapping) and {"predictions", "targets"} <= outputs.keys():
            predictions = outputs["predictions"].detach().float().cpu().numpy()
            self._parts.append((predictions, outputs["targets"].cpu().numpy()))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the logged metrics; forget what the check before the training made."""
        if trainer.sanity_checking:
            self._parts = []
            return
        self._metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}


class RecordRun(CollectRun):
    """Puts the run into a study file when the training has ended.

    Args:
        path: The study file.
        setup: Name of the setup.
        seed: The seed of the run.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        setup: str,
        seed: int | tuple[int, int, int] | Seed,
    ) -> None:
        super().__init__()
        self._path, self._setup, self._seed = path, setup, seed

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the run."""
        kept = self.outcome
        predictions, targets = kept.pop("predictions", None), kept.pop("targets", None)
        record(
            self._path,
            setup=self._setup,
            seed=self._seed,
            predictions=predictions,
            targets=targets,
            metrics=kept,
        )
