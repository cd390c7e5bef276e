"""Batches of a Trainer as an evaluation: of all its processes, and as a checkpoint takes it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from seedwise.adapters.evaluations import LOG, Evaluation, is_classification
from seedwise.stats import accuracy

__all__ = ["evaluation_of", "logged", "on_host", "packed", "unpacked"]


def evaluation_of(
    trainer: Any, parts: Mapping[int, list[tuple[Any, Any]]], loaders: Any
) -> Evaluation:
    """Gather the evaluation of a validation or a test from all devices."""
    metrics = logged(trainer)
    first: tuple[Any, Any] = None, None
    samplers = [getattr(loader, "sampler", None) for loader in _as_list(loaders)]
    for number in range(max(len(samplers), *(n + 1 for n in parts), 1)):
        scores = _joined(parts.get(number, []))
        if trainer.world_size > 1:
            scores = _gathered(scores, samplers[number] if number < len(samplers) else None)
        if scores is None:
            continue
        if number == 0:
            first = scores
        elif is_classification(*scores):
            name = f"accuracy/dataloader_idx_{number}"
            metrics.setdefault(name, float(accuracy(*scores)))
    return Evaluation(
        step=trainer.global_step,
        when=f"epoch {trainer.current_epoch + 1}",
        predictions=first[0],
        targets=first[1],
        metrics=metrics,
    )


def _joined(parts: list[tuple[Any, Any]]) -> tuple[Any, Any] | None:
    if not parts:
        return None
    predictions, targets = zip(*parts, strict=True)
    try:
        return np.concatenate(predictions), np.concatenate(targets)
    except ValueError as error:
        LOG.warning("the predictions of the batches do not fit together: %s", error)
        return None


def _gathered(scores: tuple[Any, Any] | None, sampler: Any) -> tuple[Any, Any] | None:
    """The predictions of all processes, in the order of the examples; None if they can't be had.

    Every process must come here, whatever it has.
    """
    if not torch.distributed.is_initialized():
        return None
    shuffles = getattr(sampler, "shuffle", False)
    split = isinstance(sampler, torch.utils.data.DistributedSampler)
    everyones: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyones, (scores, split, shuffles))
    if any(each is None or hers != split or mixed for each, hers, mixed in everyones):
        return None
    if not split:  # each process saw all examples
        return scores
    count = len(sampler.dataset)  # pyright: ignore[reportArgumentType]
    try:  # process 0 had examples 0, n, 2n, ...; the last ones are repeated to fill up
        predictions, targets = (
            np.stack([scores[which] for scores, _, _ in everyones], axis=1) for which in (0, 1)
        )
    except ValueError:
        return None
    return (
        predictions.reshape(-1, *predictions.shape[2:])[:count],
        targets.reshape(-1, *targets.shape[2:])[:count],
    )


def logged(trainer: Any) -> dict[str, Any]:
    """The metrics that were logged, by Lightning's names."""
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def on_host(values: Any) -> Any:
    """Values of a batch as an array; bfloat16, which numpy has not, as float32."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        return (values.float() if values.is_floating_point() else values).numpy()
    return np.asarray(values)


def _as_list(loaders: Any) -> list[Any]:
    if isinstance(loaders, Mapping):
        return list(loaders.values())
    return list(loaders) if isinstance(loaders, list | tuple) else [loaders]


def packed(evaluation: Evaluation | None, *, alone: bool) -> dict[str, Any] | None:
    """An evaluation as a checkpoint takes it: torch loads no arrays of numpy's without pickle."""
    if evaluation is None:
        return None
    has = alone and evaluation.predictions is not None
    return {
        "step": evaluation.step,
        "when": evaluation.when,
        "metrics": dict(evaluation.metrics),
        "predictions": torch.from_numpy(evaluation.predictions) if has else None,
        "targets": torch.from_numpy(evaluation.targets) if has else None,
    }


def unpacked(held: Mapping[str, Any] | None) -> Evaluation | None:
    """The evaluation that a checkpoint holds."""
    if held is None:
        return None
    arrays = {name: held[name] for name in ("predictions", "targets")}
    on_host = {name: None if each is None else each.numpy() for name, each in arrays.items()}
    return Evaluation(step=held["step"], when=held["when"], metrics=held["metrics"], **on_host)
