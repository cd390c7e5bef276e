"""Loaders by name: where a run's batches come from."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from jaxtyping import Int64
from numpy import ndarray

from seedwise.data import loader as cache
from seedwise.errors import MissingPackage, UnknownName

__all__ = ["LOADERS", "Loader", "choose_loader"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """Source of a run's batches.

    Both functions give images as float32 (batch, size, size, 3), normalised, on whatever device
    the loader works on; `torch.from_dlpack` reads them without a copy.

    Attributes:
        train: As `loader.train_batches`: the batches of an epoch, with their targets.
        valid: As `loader.valid_batches`: the validation images.
    """

    train: Callable[..., Iterator[tuple[Any, Int64[ndarray, " batch"]]]]
    valid: Callable[..., Iterator[Any]]


def _cache(device: str) -> Loader:
    return Loader(train=cache.train_batches, valid=cache.valid_batches)


def _dali(device: str) -> Loader:
    try:
        from seedwise.data import dali
    except ModuleNotFoundError as error:
        package = str(error.name)
        raise MissingPackage(package, "loader = 'dali'", extra="dali") from None
    return Loader(
        train=partial(dali.train_batches, device=device),
        valid=partial(dali.valid_batches, device=device),
    )


LOADERS: Mapping[str, Callable[[str], Loader]] = MappingProxyType({"cache": _cache, "dali": _dali})
"""By name, what makes a loader for a model on a device (`cpu` or `cuda`)."""


def choose_loader(name: str, *, device: str) -> Loader:
    """The loader of that name, for a model on that device (`cpu` or `cuda`).

    Raises:
        MissingPackage: It needs a package that is not installed.
        UnknownName: There is no such loader.
    """
    if name not in LOADERS:
        raise UnknownName("loader", name, LOADERS)
    return LOADERS[name](device)
