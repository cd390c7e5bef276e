"""The data that a Study is given: a dataset with its split, or the targets of users' functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from jaxtyping import Int64
from numpy import ndarray

from seedwise.data import Split, default_split
from seedwise.errors import ConfigError
from seedwise.executors.job import DataReference
from seedwise.live.events import DataProgress, Watch
from seedwise.setups import BUILT_IN, Setup
from seedwise.store import Store
from seedwise.study.targets import dataset_of

__all__ = ["GivenData"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GivenData:
    """What is said of a study's data; what is None is as the study file remembers it, or usual.

    Attributes:
        dataset: Name of a known dataset, or a path.
        split: Which images validate.
        source: Where the dataset's folder or archive lies, if not in the cache.
        cache: Where downloads and decoded pixels are kept.
        targets: Class of each example that the user's own functions predict.
    """

    dataset: str | None
    split: Split | None
    source: Path | None
    cache: Path | None
    targets: Int64[ndarray, " examples"] | None

    def __post_init__(self) -> None:
        if self.dataset is not None and self.targets is not None:
            raise ConfigError("give a study a dataset or targets, not both; a dataset has its own")

    def references(
        self, store: Store, setups: Iterable[Setup], tell: Watch
    ) -> Mapping[int | None, DataReference]:
        """A reference for each size of cached pixels, opened once so that the cache is there.

        The study file takes the dataset, or the targets, as its own.

        Raises:
            ConfigError: The built-in training has no dataset.
            StudyError: The study was made with other data.
        """
        if self.targets is not None:
            store.set_dataset(dataset_of(self.targets, source="given to the study"))
        sizes = {setup.pixels for setup in setups if setup.train == BUILT_IN}
        return {pixels: self._opened(store, pixels, tell) for pixels in sizes}

    def _opened(self, store: Store, pixels: int | None, tell: Watch) -> DataReference:
        known = store.dataset()
        dataset = self.dataset or (known.name if known else None)
        if dataset is None:
            raise ConfigError(
                "the built-in training needs a dataset; give one, e.g. dataset='imagenette'"
            )
        reference = DataReference(
            dataset=dataset,
            split=self.split
            or (Split.from_json(known.split) if known else default_split(dataset)),
            source=self.source,
            cache=self.cache,
            pixels=pixels,
        )
        data = reference.open(
            lambda what, done, total: tell(DataProgress(what=what, done=done, total=total))
        )
        store.set_dataset(data.record())
        return replace(reference, fingerprint=data.fingerprint)
