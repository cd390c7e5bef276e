"""MLflow: the runs of a study as runs of an experiment, with their setup as a parameter."""

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
    parameters, each epoch as steps, and every metric. Where to is MLflow's own matter:
    `mlflow.set_tracking_uri` or MLFLOW_TRACKING_URI. It is sent as it is: calling this twice makes
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
            for epoch in run.epochs:
                step = int(epoch["epoch"])
                figures = {f"epoch/{k}": v for k, v in epoch.items() if k != "epoch"}
                mlflow.log_metrics(figures, step=step)
            mlflow.log_metrics({**run.metrics, "seconds": run.seconds})
    return len(runs)
