"""MLflow: the runs of a study as runs of an experiment, with their setup as a parameter."""

import re
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike

from seedwise.adapters.tracked import tracked_runs
from seedwise.errors import MissingPackage

try:
    import mlflow  # pyright: ignore[reportMissingImports]
except ModuleNotFoundError as error:
    raise MissingPackage(
        error.name or "mlflow", "seedwise.adapters.mlflow", extra="mlflow"
    ) from None

__all__ = ["export"]


def export(path: str | PathLike[str], *, experiment: str) -> int:
    """Send the finished and diverged runs of a study to MLflow.

    Each becomes an MLflow run named "setup-seed", with setup, seed and the three streams as
    parameters, each epoch as steps, and every metric; characters that MLflow takes in no name,
    such as `@`, become `_`. Where to is MLflow's own matter: `mlflow.set_tracking_uri` or
    MLFLOW_TRACKING_URI, by default a database here. It is sent as it is: calling this twice makes
    each run twice.

    Args:
        path: The study file.
        experiment: Name of the experiment; made if there is none.

    Returns:
        How many runs were sent.
    """
    runs = tracked_runs(path)
    mlflow.set_experiment(experiment)
    for run in runs:
        with mlflow.start_run(run_name=f"{run.setup}-{run.config['seed']}"):
            mlflow.log_params(dict(run.config))
            mlflow.set_tag("state", run.state)
            for step, epoch in _steps(run.epochs):
                figures = {f"epoch/{k}": v for k, v in epoch.items() if k != "epoch"}
                mlflow.log_metrics(_named(figures), step=step)
            mlflow.log_metrics(_named({**run.metrics, "seconds": run.seconds}))
    return len(runs)


def _steps(epochs: Sequence[Mapping[str, float]]) -> Iterator[tuple[int, Mapping[str, float]]]:
    """Epochs with a whole number for each: their own, or their places where one is a fraction."""
    numbers = [epoch["epoch"] for epoch in epochs]
    whole = all(float(number).is_integer() for number in numbers)
    return zip(map(int, numbers) if whole else range(len(epochs)), epochs, strict=True)


def _named(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics by names that MLflow takes, each another."""
    found = dict[str, float]()
    for name, value in metrics.items():
        there = re.sub(r"[^\w\-. :/]", "_", name)
        while there in found:
            there += "_"
        found[there] = value
    return found
