"""Importers by their names, and which of them a place is for."""

from collections.abc import Mapping
from types import MappingProxyType

from seedwise.errors import ConfigError, UnknownName
from seedwise.importers import (
    csvfile,
    evals,
    exports,
    huggingface,
    jsonfile,
    mlflow,
    optuna,
    parquet,
    rllogs,
    samples,
    tensorboard,
    wandb,
)
from seedwise.importers.logs import Candidate, Importer

__all__ = ["IMPORTERS", "importer_of"]

IMPORTERS: Mapping[str, Importer] = MappingProxyType(
    {
        each.name: each
        for each in (
            wandb.IMPORTER,
            mlflow.IMPORTER,
            optuna.IMPORTER,
            rllogs.RAY,
            huggingface.IMPORTER,
            rllogs.MONITOR,
            tensorboard.IMPORTER,
            exports.CHART,
            exports.FOLDS,
            samples.LM_EVAL,
            evals.LM_EVAL,
            evals.INSPECT,
            samples.INSPECT,
            parquet.IMPORTER,
            csvfile.IMPORTER,
            jsonfile.IMPORTER,
        )
    }
)
"""The importers by name. A new one is a module of its own and a place here, before those that are
more general: the first that recognises something reads it."""


def importer_of(candidate: Candidate, name: str | None = None) -> Importer:
    """The importer of a name, or the first that recognises a candidate.

    Raises:
        UnknownName: There is none of this name.
        ConfigError: None recognises it.
    """
    if name is not None:
        if name not in IMPORTERS:
            raise UnknownName("format", name, IMPORTERS)
        return IMPORTERS[name]
    for each in IMPORTERS.values():
        if each.recognises(candidate):
            return each
    if candidate.is_folder:
        known = ", ".join(IMPORTERS)
        raise ConfigError(f"{candidate.text} is of no known format; give --format, one of {known}")
    return csvfile.IMPORTER  # any text of that form, whatever it is called
