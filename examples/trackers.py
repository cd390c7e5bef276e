"""A study sent to W&B and to MLflow, as far as they are installed; nothing leaves this machine."""

from importlib.util import find_spec

import seedwise
from digits import valid_y
from sklearn_function import one_layer, two_layers

if __name__ == "__main__":
    study = seedwise.Study("layers.db", targets=valid_y)
    study.run({"one": one_layer, "two": two_layers}, seeds=2)
    if find_spec("wandb"):
        from seedwise.adapters import wandb

        sent = wandb.export(study.path, project="layers", mode="offline")
        print(f"{sent} runs in ./wandb; `wandb sync` sends them")
    if find_spec("mlflow"):
        import mlflow as library

        from seedwise.adapters import mlflow

        library.set_tracking_uri("sqlite:///mlflow.db")
        print(f"{mlflow.export(study.path, experiment='layers')} runs; `mlflow ui` shows them")
