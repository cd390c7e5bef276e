"""Names of columns, and the meaning that each name settles."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

__all__ = [
    "EXAMPLE",
    "FOLDS",
    "LIKELY_SETUPS",
    "PARTS",
    "PROGRESS",
    "REPEATS",
    "ROLES",
    "RUNS",
    "SECONDS",
    "SEED",
    "SEEDS",
    "SETTINGS",
    "SETUPS",
    "STATES",
    "TASK",
    "TASKS",
    "column_of",
    "columns_of_kind",
    "is_own",
    "listed",
    "short",
]

EXAMPLE, TASK, SEED = "example", "task", "seed"
"""Columns that readers of evaluations give: the question, its task, and the epoch, if any."""
STATES = ("state", "status")
SETUPS = ("setup", "group", "name", "run name", "mlflow.runname")
LIKELY_SETUPS = (
    *("model", "model_name", "method", "algorithm", "algo", "variant", "approach", "system"),
    *("condition", "arm", "treatment", "config_name"),
)
"""Columns that name the setup where no other does and only one of them tells runs apart."""
SEEDS = ("seed", "random_seed", "random_state", "run_seed")
SECONDS = ("seconds", "runtime")
_PREFIXES = (
    *("metrics.", "params.", "tags.", "config.", "parameters.", "summary."),
    *("params_", "user_attrs_"),
)
SETTINGS = (
    "params.",
    "tags.",
    "config.",
    "parameters.",
    "params_",
    "user_attrs_",
    "system_attrs_",
)
PROGRESS = (
    *("epoch", "epochs", "step", "steps", "global_step", "iteration", "iter", "iterations"),
    *("training_iteration", "timestep", "timesteps", "total_timesteps", "env_steps", "round"),
    *("_step", "update", "num_updates", "checkpoint", "ckpt"),
)
"""Columns that count within a run, the slowest first: a row each is an epoch or a step."""
FOLDS = ("fold", "cv_fold", "fold_id", "fold_idx", "folds", "kfold", "outer_fold", "split_id")
TASKS = (
    *(
        "dataset",
        "datasets",
        "dataset_name",
        "data_set",
        "task",
        "task_name",
        "tasks",
        "benchmark",
    ),
    *("env", "env_id", "env_name", "environment", "game", "domain", "corpus", "language", "lang"),
    *("subset", "problem"),
)
PARTS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(TASKS, "tasks"),
        **dict.fromkeys(("epoch", "epochs"), "epochs"),
        **dict.fromkeys(
            (
                *("global_step", "_step", "timestep", "timesteps", "total_timesteps"),
                *("env_steps", "training_iteration", "num_updates", "checkpoint", "ckpt"),
            ),
            "steps",
        ),
        **dict.fromkeys(
            (
                *("bootstrap", "bootstrap_id", "bootstrap_idx", "boot", "resample", "resample_id"),
                *("resamples", "bootstraps", "jackknife"),
            ),
            "resamples of the same results",
        ),
        **dict.fromkeys(
            (
                *("example", "example_id", "question", "question_id", "qid", "item", "item_id"),
                *("image", "image_id", "sample_id", "sample_idx", "doc_id", "prompt_id"),
                *("instance", "instance_id", "query_id", "sentence_id", "patient", "patient_id"),
            ),
            "examples",
        ),
    }
)
"""Names of columns that tell parts of one run, and which parts: never a seed, even if named so."""
REPEATS = ("repeat", "repeats", "repetition", "rep", "cv_repeat", "replicate")
RUNS = ("run_id", "run", "run_name", "run name", "id", "trial", "trial_id")
ROLES = frozenset(
    (*SEEDS, *PROGRESS, *FOLDS, *TASKS, *REPEATS, *RUNS, "lr", "learning_rate", "episode")
)
"""Names that say which run, or which part of one, a row is of, and what loggers write of its
settings: never metrics, unless named."""
_NO_METRICS = frozenset(
    (
        *("agent", "artifact_uri", "commit", "created", "description", "duration", "end_time"),
        *("ended_at", "error", "experiment_id", "github", "gpu", "gpu_count", "heartbeat", "host"),
        *("hostname", "id", "index", "job", "name", "notes", "relative_time", "rownum", "run_id"),
        *("runtime", "seconds", "source_name", "source_type", "start_time", "state", "status"),
        *("number", "sweep", "tags", "timestamp", "updated", "user"),
        *("_runtime", "_step", "_timestamp", "step"),
        *("wall_time", "walltime", "elapsed", "time_elapsed", "date", "pid", "epoch_time"),
        *("train_runtime", "eval_runtime"),
    )
)
"""Columns that the exports of W&B, MLflow, pandas and seedwise have of their own."""

_MOST_NAMED = 8


def column_of(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """The column that has the first possible of some names, whatever its case and prefix."""
    by_name = dict[str, str]()
    for column in columns:
        by_name.setdefault(short(column), column)
    return next((by_name[name] for name in names if name in by_name), None)


def columns_of_kind(columns: Iterable[str], names: Sequence[str]) -> tuple[str, ...]:
    """All columns that have one of some names, whatever their case and prefix, in its order."""
    found = [column for column in columns if short(column) in names]
    return tuple(sorted(found, key=lambda column: names.index(short(column))))


def short(column: str) -> str:
    """Return a column's name without case and without what trackers put before it."""
    for prefix in _PREFIXES:
        column = column.removeprefix(prefix)
    return column.lower()


def is_own(name: str) -> bool:
    """True if a column belongs to the program that wrote the table, or is marked as a setting."""
    return name.startswith(SETTINGS) or name.lower().replace(" ", "_") in _NO_METRICS


def listed(names: Sequence[str], most: int = _MOST_NAMED) -> str:
    """Some names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
