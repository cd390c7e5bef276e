"""Scores of single examples as people have them, made what a study keeps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.records import Examples, kept_scores
from seedwise.shaped import Float

__all__ = ["as_examples", "as_scores", "regression_scores"]


def as_scores(given: Any) -> dict[str, Float[ndarray, " examples"]]:
    """Scores by metric, as the study file keeps them; not finite where they were not.

    Args:
        given: For each metric one number an example: its score, or whether it was right.

    Raises:
        DataError: They are something else, or of different numbers of examples.

    >>> as_scores({"exact_match": [True, False]})
    {'exact_match': array([1., 0.], dtype=float32)}
    """
    if not isinstance(given, Mapping):
        raise DataError(
            "scores are one number for each example under the name of a metric, e.g. "
            f"{{'f1': [0.5, 1.0]}}, got {type(given).__name__}"
        )
    found = {str(name): _as_array(str(name), values) for name, values in given.items()}
    sizes = {name: len(values) for name, values in found.items()}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{size:,} of {name}" for name, size in sizes.items())
        raise DataError(f"scores are of one set of examples, got {told}")
    return found


def regression_scores(
    predictions: Any, targets: Any
) -> dict[str, Float[ndarray, " examples"]] | None:
    """Scores of predicted numbers against true ones; None for predictions of classes.

    Returns:
        `mae`: the absolute errors; `rmse` and `r2`, which are not means: their value plus each
        example's influence on them (the infinitesimal jackknife), whose mean they are.

    Raises:
        DataError: There are not as many predictions as targets, or the targets are all equal.

    >>> found = regression_scores([1.0, 2.5, 2.0], [1.5, 2.5, 3.0])
    >>> {name: round(float(scores.mean()), 4) for name, scores in found.items()}
    {'mae': 0.5, 'rmse': 0.6455, 'r2': -0.0714}
    """
    if predictions is None or targets is None:
        return None
    true, found = np.asarray(targets), np.asarray(predictions)
    true = true.reshape(-1) if true.ndim == 2 and true.shape[1] == 1 else true
    found = found.reshape(-1) if found.ndim == 2 and found.shape[1] == 1 else found
    numbers = all(each.ndim == 1 and each.dtype.kind in "iuf" for each in (true, found))
    if not (numbers and true.size) or _are_labels(true, found):
        return None
    if true.shape != found.shape or not np.isfinite(true).all():
        raise DataError(
            f"targets must be one finite number for each prediction, got {true.shape} for "
            f"{found.shape}"
        )
    errors = found.astype(np.float64) - true
    if not np.isfinite(errors).all():
        return dict.fromkeys(("mae", "rmse", "r2"), np.full(len(true), np.nan))
    squares, spread = errors**2, (true - true.mean()) ** 2
    mean, variance = squares.mean(), spread.mean()
    root = np.sqrt(mean)
    scores = {"mae": np.abs(errors), "rmse": np.full(len(true), root)}
    if root > 0:
        scores["rmse"] = root + (squares - mean) / (2 * root)
    if variance > 0:
        scores["r2"] = 1 - mean / variance - (squares - mean / variance * spread) / variance
    return {name: kept_scores(values) for name, values in scores.items()}


def _are_labels(true: ndarray, found: ndarray) -> bool:
    """True if whole targets are classes, not numbers such as ages or counts.

    They are so of two classes, whose labels one number an example tells apart; and where all
    predictions are whole too (classes that were chosen) or within 0 and 1 (how sure a classifier
    is) and the targets are all numbers from 0 on.
    """
    if (true != np.round(true)).any():  # NaN too
        return False
    if true.shape != found.shape:  # logits of one example, say: what is wrong is said of classes
        return True
    labels = np.unique(true)
    if np.isin(labels, (0, 1)).all() or np.isin(labels, (-1, 1)).all():
        return True
    chosen = found.dtype.kind in "iu" or (found == np.round(found)).all()
    sure = found.min() >= 0 and found.max() <= 1
    return bool((chosen or sure) and (labels == np.arange(len(labels))).all())


def as_examples(sizes: Sequence[int], names: Any, groups: Any) -> Examples | None:
    """Names and groups of a run's examples; None where there are none.

    Args:
        sizes: Of how many examples the predictions or scores are; empty without any.
        names: The name of each example, or None.
        groups: The group of each example, or None.

    Raises:
        DataError: There are no scores or predictions to them, they are not one for each example,
            or two examples have one name.
    """
    if names is None and groups is None:
        return None
    if not sizes:
        raise DataError("examples and groups belong to scores or predictions; there are none")
    given = {
        what: _as_texts(what, values, sizes[0])
        for what, values in (("examples", names), ("groups", groups))
        if values is not None
    }
    texts = given.get("examples", ())
    if len(set(texts)) < len(texts):
        twice = next(name for place, name in enumerate(texts) if name in texts[:place])
        raise DataError(f"each example has a name of its own, and two are {twice!r}")
    return Examples(count=sizes[0], names=texts, groups=given.get("groups", ()))


def _as_array(name: str, values: Any) -> Float[ndarray, " examples"]:
    try:
        found = np.asarray(values)
    except ValueError:  # lists of different lengths
        found = np.empty(0, object)
    if found.ndim == 2 and found.shape[-1] == 1:
        found = found.reshape(-1)
    if found.ndim != 1 or not found.size or found.dtype.kind not in "biuf":
        raise DataError(
            f"scores of {name} must be one number for each example, got {found.dtype} "
            f"{found.shape}"
        )
    wide = found.astype(np.float64)
    return kept_scores(wide) if np.isfinite(wide).all() else wide


def _as_texts(what: str, values: Any, size: int) -> tuple[str, ...]:
    found = np.asarray(values)
    if found.shape != (size,) or found.dtype.kind not in "biuUSOT":
        raise DataError(
            f"{what} must be one name or number for each of the {size:,} examples, got "
            f"{found.dtype} {found.shape}"
        )
    return tuple(
        each.decode(errors="replace") if isinstance(each, bytes) else str(each)
        for each in found.tolist()
    )
