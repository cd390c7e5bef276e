"""Weights & Biases: the runs of a study as runs of a project, grouped by setup."""

from os import PathLike
from typing import Any

from seedwise.adapters.tracked import tracked_runs
from seedwise.errors import MissingPackage

try:
    import wandb  # pyright: ignore[reportMissingImports]
except ModuleNotFoundError as error:
    raise MissingPackage(error.name or "wandb", "seedwise.adapters.wandb", extra="wandb") from None

__all__ = ["export"]


def export(path: str | PathLike[str], *, project: str, **init: Any) -> int:
    """Send the finished and diverged runs of a study to W&B.

    Each becomes a W&B run named "setup-seed" in the group of its setup, with setup, seed and the
    three streams as configuration, each epoch as history, and every metric in its summary. It is
    sent as it is: calling this twice makes each run twice.

    Args:
        path: The study file.
        project: Name of the project.
        init: Further arguments of `wandb.init`, e.g. `entity` or `mode="offline"`.

    Returns:
        How many runs were sent.
    """
    runs = tracked_runs(path)
    for run in runs:
        with wandb.init(
            project=project,
            group=run.setup,
            name=f"{run.setup}-{run.config['seed']}",
            config=dict(run.config),
            reinit="finish_previous",
            **init,
        ) as there:
            for epoch in run.epochs:
                there.log(dict(epoch))
            there.summary.update({**run.metrics, "state": run.state, "seconds": run.seconds})
    return len(runs)
