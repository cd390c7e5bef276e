"""PyTorch Lightning: a callback that keeps the validations of a run.

In a training function of a Study, return what `CollectRun` has kept; in a job of its own,
`RecordRun` puts it into the study file when the training ends.

    def train(seed):
        seed_everything(int(seed))
        run = CollectRun()
        Trainer(max_epochs=5, callbacks=[run]).fit(Model(), train_batches, valid_batches)
        return run.outcome

The run is the last validation; with a `ModelCheckpoint(monitor=...)` that of the model that it
keeps as the best. `lightning` and `pytorch-lightning` serve alike.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from seedwise.adapters.evaluations import LOG, Evaluation, Evaluations, StudyRun
from seedwise.adapters.lightning_parts import evaluation_of, logged, on_host, packed, unpacked
from seedwise.errors import ConfigError, MissingPackage
from seedwise.seeds import Seed

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import Callback, ModelCheckpoint
else:
    # A Trainer of the one takes no callback of the other: with both, that which is in use.
    _alone = "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules
    try:
        if _alone or find_spec("lightning") is None:
            from pytorch_lightning import LightningModule, Trainer
            from pytorch_lightning.callbacks import Callback, ModelCheckpoint
        else:
            from lightning.pytorch import LightningModule, Trainer
            from lightning.pytorch.callbacks import Callback, ModelCheckpoint
    except ModuleNotFoundError as error:
        raise MissingPackage(
            error.name or "lightning", "seedwise.adapters.lightning", extra="lightning"
        ) from None

__all__ = ["CollectRun", "RecordRun"]

_KEY = "seedwise"
"""Key of a checkpoint under which a resumed fit finds what it needs of the one before."""


class CollectRun(Callback):
    """Keeps the validation of the model that Lightning keeps: predictions and logged metrics.

    Predictions are kept where `validation_step` returns `{"predictions": logits, "targets":
    classes}`; the validation batches must come in the same order in every run. Of several
    loaders the predictions of the first are kept; of the others their accuracy, and what is
    logged, under Lightning's names (`.../dataloader_idx_1`).

    What `test_step` returns and logs is kept likewise, beside it: predictions of a test stand for
    the run's. A `validate` by itself counts only where the fit validated nothing. Several devices
    are gathered from.
    """

    def __init__(self) -> None:
        self._evaluations = Evaluations()
        self._parts: dict[int, list[tuple[Any, Any]]] = {}
        self._test: Evaluation | None = None
        self._seen: tuple[str, float | None] | None = None  # what a checkpoint held as the best
        self._between = self._rehearsal = self._fitted = self._resumes = False

    @property
    def outcome(self) -> dict[str, Any]:
        """Return what a training function does: predictions and targets, and metrics by name.

        Raises:
            ConfigError: No validation ran, nothing was returned or logged in it, or the fit was a
                `fast_dev_run`.
        """
        if self._rehearsal:
            raise ConfigError("a fast_dev_run is not a run; remove fast_dev_run")
        chosen = self._run_of_all()
        kept, faults = ({}, []) if chosen is None else chosen.outcome()
        if not kept:
            raise ConfigError(
                "Lightning validated nothing that could be kept: return {'predictions': logits, "
                "'targets': classes} from validation_step, or log a metric in it"
                + "".join(f"; {fault}" for fault in faults)
            )
        self._evaluations.tell_choice("a run of Lightning's Trainer")
        for fault in faults:
            LOG.warning("%s", fault)
        return kept

    def on_fit_start(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Start the clock; a fit before this one is forgotten."""
        self._rehearsal = bool(getattr(trainer, "fast_dev_run", False))
        self._test, self._between, self._fitted = None, False, False
        if self._resumes:  # a checkpoint was loaded, and said what came before
            self._resumes = False
        else:
            self._evaluations.begin()
            self._seen = None

    def on_validation_start(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Look what became of the model of the validation before; forget its batches."""
        self._settle(trainer)
        self._parts = {}

    def on_validation_batch_end(
        self,
        trainer: "Trainer",
        pl_module: "LightningModule",
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the predictions of a batch."""
        self._take(outputs, dataloader_idx)

    def on_validation_end(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Keep predictions and metrics; the check before the training does not count."""
        parts, self._parts = self._parts, {}
        if trainer.sanity_checking or self._rehearsal:
            return
        by_itself = trainer.state.fn != "fit"
        if by_itself and (not self._fitted or self._evaluations.last is not None):
            return
        self._evaluations.add(evaluation_of(trainer, parts, trainer.val_dataloaders))

    def on_train_epoch_end(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Keep what was logged of the epoch's training."""
        last = self._evaluations.last
        if last is not None and last.step == trainer.global_step:
            self._evaluations.extend(last, logged(trainer))

    def on_test_start(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Forget the batches of the test before."""
        self._parts = {}

    def on_test_batch_end(
        self,
        trainer: "Trainer",
        pl_module: "LightningModule",
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the predictions of a batch."""
        self._take(outputs, dataloader_idx)

    def on_test_end(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Keep predictions and metrics of the test."""
        self._test = evaluation_of(trainer, self._parts, trainer.test_dataloaders)
        self._parts = {}

    def on_fit_end(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Find the validation of the model that is kept."""
        self._settle(trainer)
        self._fitted = True
        if self._between and trainer.is_global_zero:
            LOG.warning(
                "the model that ModelCheckpoint keeps was saved between two validations, so its "
                "score is unknown; the run is %s",
                "the one that it kept before" if self._evaluations.best else "the last",
            )

    def on_save_checkpoint(
        self, trainer: "Trainer", pl_module: "LightningModule", checkpoint: dict[str, Any]
    ) -> None:
        """Give a resumed fit what it has to know of this one."""
        self._settle(trainer, saving=True)
        several = trainer.world_size > 1  # a checkpoint has what one of them knows
        held = {"last": self._evaluations.last, "best": self._evaluations.best}
        checkpoint[_KEY] = {
            "seconds": self._evaluations.seconds,
            "rule": self._evaluations.rule,
            "seen": self._seen,
            **{name: packed(each, alone=not several) for name, each in held.items()},
        }

    def on_load_checkpoint(
        self, trainer: "Trainer", pl_module: "LightningModule", checkpoint: dict[str, Any]
    ) -> None:
        """Go on where the fit was that is resumed."""
        if trainer.state.fn != "fit" or _KEY not in checkpoint:
            return
        known = checkpoint[_KEY]
        self._evaluations.begin()
        self._evaluations.resume(
            last=unpacked(known["last"]),
            best=unpacked(known["best"]),
            rule=known["rule"],
            seconds=known["seconds"],
        )
        self._seen = None if known["seen"] is None else tuple(known["seen"])
        self._resumes = True

    def _run_of_all(self) -> Evaluation | None:
        """The validation that counts and the test as one."""
        chosen, test = self._evaluations.chosen, self._test
        if chosen is None or test is None:
            return chosen or test
        both = replace(chosen, metrics={**chosen.metrics, **test.metrics})
        if test.predictions is None:
            return both
        return replace(both, predictions=test.predictions, targets=test.targets)

    def _take(self, outputs: Any, loader: int) -> None:
        if isinstance(outputs, Mapping) and {"predictions", "targets"} <= outputs.keys():
            part = on_host(outputs["predictions"]), on_host(outputs["targets"])
            self._parts.setdefault(loader, []).append(part)

    def _settle(self, trainer: "Trainer", *, saving: bool = False) -> None:
        """Note whether the best model of a checkpoint is that of the last validation."""
        last, checkpoint = self._evaluations.last, _best_keeper(trainer)
        if last is None or checkpoint is None or not checkpoint.best_model_path:
            return
        score = checkpoint.best_model_score
        now = checkpoint.best_model_path, None if score is None else float(score)
        if now == self._seen:
            return
        saved_at = trainer.global_step if saving else checkpoint._last_global_step_saved
        self._between = saved_at != last.step
        self._seen = now
        if not self._between:
            self._evaluations.keep(f"kept by ModelCheckpoint for its {checkpoint.monitor}")


class RecordRun(CollectRun):
    """Puts the run into a study file when the training has ended.

    Where the fit validated nothing, it does after `trainer.validate` or `trainer.test`. A
    `fast_dev_run` is not recorded. Of several processes the first records.

    Args:
        path: The study file.
        setup: Name of the setup.
        seed: The seed of the run.
        after: When the run is complete: after the `fit`, or after a `test` that follows it, whose
            predictions then are the run's.

    Raises:
        RunExists: When the fit begins: the study has a run of this setup and seed.
        StudyError: When the fit begins: the file is not a study, or seedwise trains this setup.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        setup: str,
        seed: int | tuple[int, int, int] | Seed,
        after: Literal["fit", "test"] = "fit",
    ) -> None:
        super().__init__()
        if after not in ("fit", "test"):
            raise ConfigError(f"a run is complete after 'fit' or 'test', got after={after!r}")
        self._run, self._after = StudyRun(path, setup=setup, seed=seed), after
        self._seconds: float | None = None  # of a fit that has ended unrecorded

    def on_fit_start(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Refuse what could not be recorded; start the clock."""
        super().on_fit_start(trainer, pl_module)
        if not self._rehearsal:
            self._run.check()

    def on_fit_end(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Record the run, if it is complete."""
        super().on_fit_end(trainer, pl_module)
        self._seconds = self._evaluations.seconds
        if self._rehearsal:
            self._seconds = None
            LOG.warning("%s: a fast_dev_run is not recorded", self._run)
        elif self._after == "fit":
            self._store(trainer)

    def on_validation_end(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Keep the validation; record it where the fit ended without."""
        super().on_validation_end(trainer, pl_module)
        if trainer.state.fn == "validate" and self._after == "fit":
            self._store(trainer)

    def on_test_end(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Keep the test, and record the run if it was complete but for that."""
        super().on_test_end(trainer, pl_module)
        self._store(trainer)

    def _store(self, trainer: "Trainer") -> None:
        chosen = self._run_of_all()
        if self._seconds is None:  # recorded, or never fitted
            return
        if chosen is None:
            if trainer.is_global_zero:
                LOG.warning(
                    "%s: not recorded yet, as nothing was validated; the next trainer.validate() "
                    "or trainer.test() is",
                    self._run,
                )
            return
        seconds, self._seconds = self._seconds, None
        if trainer.is_global_zero:
            self._evaluations.tell_choice(str(self._run))
            self._run.store(chosen, seconds=seconds, rule=self._evaluations.rule)


def _best_keeper(trainer: "Trainer") -> "ModelCheckpoint | None":
    """The first callback that keeps the best model by some figure."""
    for each in trainer.checkpoint_callbacks:
        if isinstance(each, ModelCheckpoint) and each.monitor is not None and each.save_top_k:
            return each
    return None
