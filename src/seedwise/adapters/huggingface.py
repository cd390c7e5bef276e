"""Hugging Face's Trainer: a callback that keeps the evaluations of a run.

In a training function of a Study, return what `CollectRun` has kept; in a job of its own,
`RecordRun` puts it into the study file when the training ends.

    def train(seed):
        run = CollectRun()
        arguments = TrainingArguments(..., seed=int(seed), eval_strategy="epoch")
        Trainer(
            ..., args=arguments, compute_metrics=run.compute_metrics, callbacks=[run]
        ).train()
        return run.outcome

The run is the last evaluation; with `load_best_model_at_end` that of the model that is loaded.
"""

import re
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from seedwise.adapters.evaluations import (
    LOG,
    Evaluation,
    Evaluations,
    StudyRun,
    is_classification,
)
from seedwise.errors import ConfigError, MissingPackage
from seedwise.seeds import Seed
from seedwise.stats import accuracy

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

_Compute = Callable[..., dict[str, float]]

_SPEED = re.compile(
    r"_(runtime|samples_per_second|steps_per_second|model_preparation_time|"
    r"jit_compilation_time)$"
)
"""Metrics that the Trainer adds to an evaluation and that say nothing about the model."""


class CollectRun(TrainerCallback):
    """Keeps the evaluation of the model that the Trainer keeps: predictions and metrics.

    The Trainer hands predictions to `compute_metrics` alone, so that is where they are taken, of
    classifiers: class scores (examples, classes) with one class for each example. Of regressions,
    of several labels, of tokens and of language models the metrics are kept, under the Trainer's
    names (`eval_loss`). The evaluation examples must come in the same order in every run, as they
    do. Of several evaluation sets the metrics of all are kept, and the predictions of the first.

    What is evaluated after the training counts where nothing was during it.

    Args:
        compute_metrics: The function that was `compute_metrics` before, if there was one.
    """

    def __init__(self, compute_metrics: _Compute | None = None) -> None:
        self._compute = compute_metrics
        self._evaluations = Evaluations()
        self._batches: list[tuple[Any, Any]] = []
        self._arrived: tuple[Any, Any] | None = None
        self._asked = self._trains = self._during = False

    @property
    def outcome(self) -> dict[str, Any]:
        """Return what a training function does: predictions and targets, and metrics by name.

        Raises:
            ConfigError: No evaluation ran, or nothing of it can be kept.
        """
        chosen = self._evaluations.chosen
        if chosen is None and self._arrived is not None:  # it was not given as a callback
            chosen = Evaluation(step=0, when="the end", **_scores(self._arrived))
        if chosen is None:
            raise ConfigError(
                "the Trainer evaluated nothing: give it compute_metrics=run.compute_metrics and "
                "callbacks=[run], and evaluate, e.g. by eval_strategy='epoch'"
            )
        self._evaluations.tell_choice("a run of the Trainer")
        kept, faults = chosen.outcome()
        if not kept:
            raise ConfigError(f"the Trainer evaluated nothing to keep: {'; '.join(faults)}")
        for fault in faults:
            LOG.warning("%s", fault)
        return kept

    def compute_metrics(
        self, evaluation: EvalPrediction, compute_result: bool | None = None
    ) -> dict[str, float]:
        """Keep the predictions; gives the metrics that the Trainer is to show.

        Args:
            evaluation: Predictions and labels: all, or with `batch_eval_metrics` those of a batch.
            compute_result: With `batch_eval_metrics`, whether the batch is the last one.
        """
        self._asked = True
        predictions, targets = evaluation.predictions, evaluation.label_ids
        predictions = predictions[0] if isinstance(predictions, tuple) else predictions
        self._batches.append((_array(predictions), _array(targets)))
        if compute_result is not False:
            self._arrived, self._batches = _joined(self._batches), []
        if self._compute is not None:
            whole = compute_result is None
            also = {} if whole else {"compute_result": compute_result}
            return self._compute(evaluation, **also)
        if compute_result is False or self._arrived is None:
            return {}
        logits, classes = self._arrived
        return {"accuracy": float(accuracy(logits.astype(np.float32), classes))}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock."""
        self._evaluations.begin()
        self._batches, self._arrived = [], None
        self._trains, self._during = True, False

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Keep the evaluation of one set."""
        arrived, self._arrived = self._arrived, None
        figures = _figures(metrics or {})
        if self._trains and not state.global_step:  # eval_on_start
            return
        chosen = self._evaluations.chosen
        if self._during and not self._trains and chosen is not None:
            others = {name: each for name, each in figures.items() if name not in chosen.metrics}
            self._evaluations.extend(chosen, others)
            return
        self._settle(args, state)
        self._during = self._trains
        last = self._evaluations.last
        if last is not None and last.step == state.global_step:  # another set of the evaluation
            self._evaluations.extend(last, figures)
            return
        self._evaluations.add(
            Evaluation(
                step=state.global_step,
                when=_when(state),
                metrics=figures,
                **({} if arrived is None else _scores(arrived)),
            )
        )

    def on_predict(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Forget the predictions of examples that are not the evaluation's."""
        self._arrived = None

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Find the evaluation of the model that was loaded, if one was."""
        self._settle(args, state)
        self._trains = False
        step = _loaded(args, state)
        best = self._evaluations.best
        if step and (best is None or best.step != step):  # it was trained by an earlier process
            logged = [each for each in state.log_history if each.get("step") == step]
            figures = {name: each[name] for each in logged for name in _figures(each)}
            figures = {name: value for name, value in figures.items() if name.startswith("eval")}
            earlier = Evaluation(step=step, when=f"step {step}", metrics=figures)
            self._evaluations.keep(_rule(args), earlier)

    def _settle(self, args: TrainingArguments, state: TrainerState) -> None:
        """Note whether the model of the last evaluation was saved as the best so far."""
        last = self._evaluations.last
        if last is not None and last.step == _loaded(args, state):
            self._evaluations.keep(_rule(args))


class RecordRun(CollectRun):
    """Puts the run into a study file when the training has ended; a callback of the Trainer.

    Where nothing was evaluated until then, it does when something is: `trainer.evaluate()`. Of
    several processes (`torchrun`) the first records.

    Args:
        path: The study file.
        setup: Name of the setup.
        seed: The seed of the run.
        compute_metrics: As in `CollectRun`.

    Raises:
        RunExists: When the training begins: the study has a run of this setup and seed.
        StudyError: When the training begins: the file is not a study, or seedwise trains this
            setup.
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
        self._run = StudyRun(path, setup=setup, seed=seed)
        self._seconds: float | None = None  # of a training that has ended unrecorded

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock."""
        self._run.check()
        super().on_train_begin(args, state, control)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Keep the evaluation of one set, and record it where the training has ended without."""
        super().on_evaluate(args, state, control, metrics)
        if self._seconds is not None:
            seconds, self._seconds = self._seconds, None
            self._store(state, seconds)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Record the run."""
        super().on_train_end(args, state, control)
        seconds = self._evaluations.seconds
        if self._evaluations.chosen is not None:
            self._store(state, seconds)
            return
        self._seconds = seconds
        if state.is_world_process_zero:
            LOG.warning(
                "%s: nothing was evaluated while it trained; the next trainer.evaluate() is "
                "recorded, with compute_metrics=run.compute_metrics also its predictions",
                self._run,
            )

    def _store(self, state: TrainerState, seconds: float) -> None:
        if not state.is_world_process_zero:
            return
        if not self._asked:
            LOG.warning(
                "%s: only metrics are recorded; a classifier's predictions are kept with "
                "compute_metrics=run.compute_metrics",
                self._run,
            )
        self._evaluations.tell_choice(str(self._run))
        rule = self._evaluations.rule
        self._run.store(self._evaluations.chosen, seconds=seconds, rule=rule)


def _array(values: Any) -> Any:
    """Predictions or labels of a batch on the host; anything else as it is."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        return (values.float() if values.is_floating_point() else values).numpy()
    return values


def _joined(batches: list[tuple[Any, Any]]) -> tuple[Any, Any] | None:
    """The predictions and labels of an evaluation; None where they are not a classifier's."""
    if not all(is_classification(*batch) for batch in batches):
        return None
    predictions, targets = zip(*batches, strict=True)
    return np.concatenate(predictions), np.concatenate(targets)


def _scores(arrived: tuple[Any, Any]) -> dict[str, Any]:
    logits, targets = arrived
    return {"predictions": logits.astype(np.float32), "targets": targets.astype(np.int64)}


def _figures(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of an evaluation without what it says of speed and progress."""
    progress = ("epoch", "step", "num_input_tokens_seen")
    return {k: v for k, v in metrics.items() if k not in progress and not _SPEED.search(k)}


def _when(state: TrainerState) -> str:
    epoch = state.epoch or 0.0
    whole = abs(epoch - round(epoch)) < 1e-6
    return f"epoch {round(epoch)}" if whole else f"step {state.global_step}"


def _loaded(args: TrainingArguments, state: TrainerState) -> int:
    """The step of the checkpoint that would be loaded at the end; 0 where none would."""
    if not args.load_best_model_at_end or not state.best_model_checkpoint:
        return 0
    number = Path(state.best_model_checkpoint).name.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _rule(args: TrainingArguments) -> str:
    return f"loaded at the end for its {args.metric_for_best_model or 'loss'}"
