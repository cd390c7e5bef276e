"""TensorBoard's event files: scalars by step, and what its hparams plugin keeps as settings."""

import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from seedwise.errors import DataError, MissingPackage
from seedwise.importers.logs import Candidate, Importer, Log, LogRow
from seedwise.importers.records import cell

__all__ = ["IMPORTER"]

_MARK = "tfevents"
_SPLITS = ("train", "training", "validation", "val", "valid", "test", "eval")
"""Folders that Keras's callback and others make within the folder of a run, one for each split."""
_LARGEST = 2**20
"""Records above this hold images, audio or graphs: they are passed over, not read. TensorBoard
checks each byte of a record in Python, which takes 4 minutes for 2 GB."""
_MOST_VALUES = 2_000_000


@dataclass(slots=True, kw_only=True, eq=False)
class _Series:
    """Series in the event files of one folder."""

    steps: dict[int, dict[str, str]] = field(default_factory=dict[int, dict[str, str]])
    settings: dict[str, str] = field(default_factory=dict[str, str])
    scalars: set[str] = field(default_factory=set[str])
    values: int = 0
    session: bool = False

    def take_in(self, other: "_Series", prefix: str) -> None:
        """Add what a folder within holds."""
        for step, cells in other.steps.items():
            self.steps.setdefault(step, {}).update({prefix + k: v for k, v in cells.items()})
        self.settings |= other.settings
        self.session = self.session or other.session


def _recognises(candidate: Candidate) -> bool:
    if not candidate.is_folder:
        return _MARK in candidate.path.name
    return _has_events(candidate.names) or any(
        _has_events(Candidate(text=str(candidate.path / name)).names)
        for name in candidate.names.intersection(_SPLITS)
    )


def _has_events(names: Iterable[str]) -> bool:
    return any(_MARK in name for name in names)


def _read(candidate: Candidate) -> list[Log]:
    """A log for each folder that is a run, or one of a single file."""
    library = _library()
    if not candidate.is_folder:
        found = {candidate.path: _series([candidate.path], library)}
    else:
        found = {
            folder: _series(files, library) for folder, files in _folders(candidate.path).items()
        }
        _merge(found, candidate.path)
    return [_log(path, series) for path, series in found.items() if series.steps]


def _library() -> Any:
    try:
        from tensorboard.compat.proto import event_pb2  # pyright: ignore[reportMissingImports]
        from tensorboard.compat.tensorflow_stub import (  # pyright: ignore[reportMissingImports]
            pywrap_tensorflow,
        )
        from tensorboard.plugins.hparams import (  # pyright: ignore[reportMissingImports]
            plugin_data_pb2,
        )
        from tensorboard.util import tensor_util  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        name = error.name or "tensorboard"
        raise MissingPackage(name, "TensorBoard's event files", extra="tensorboard") from None
    # protobuf makes the classes of these modules as they load, where pyright cannot see them
    events, hparams = cast("Any", event_pb2), cast("Any", plugin_data_pb2)
    return _Library(
        event=events.Event.FromString,
        checksum=pywrap_tensorflow.masked_crc32c,
        hparams=hparams.HParamsPluginData.FromString,
        array=tensor_util.make_ndarray,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Library:
    """The part of TensorBoard that is called."""

    event: Any
    checksum: Any
    hparams: Any
    array: Any


def _folders(top: Path) -> dict[Path, list[Path]]:
    """The event files of each folder, those written first first: their names begin with a time."""
    found: dict[Path, list[Path]] = {}
    for folder, folders, names in os.walk(top):
        folders.sort()
        files = sorted(Path(folder, name) for name in names if _MARK in name)
        if files:
            found[Path(folder)] = files
    return found


def _merge(found: dict[Path, _Series], top: Path) -> None:
    """Bring to the folder of a run what is written in folders of their own within it.

    `add_hparams` of PyTorch makes one named by the time, `add_scalars` one for each curve, named
    by its tag, and Keras one for each split.
    """
    for folder in sorted(found, key=lambda path: len(path.parts), reverse=True):
        prefix = _part(folder, found[folder], found)
        if folder != top and prefix is not None:
            part = found.pop(folder)
            found.setdefault(folder.parent, _Series()).take_in(part, prefix)


def _part(folder: Path, series: _Series, found: Mapping[Path, _Series]) -> str | None:
    """Prefix of a folder's tags in the run that it is a part of, if it is one."""
    name = folder.name
    if name in _SPLITS:
        return f"{name}/"
    if folder.parent not in found:
        return None
    if series.session and name.replace(".", "").isdigit():
        return ""
    tags = {tag for cells in series.steps.values() for tag in cells}
    curve = next(iter(tags)) if len(tags) == 1 else None
    if curve is not None and name.startswith(stem := curve.replace("/", "_") + "_"):
        return f"{name.removeprefix(stem)}/"
    return None


def _log(path: Path, series: _Series) -> Log:
    rows = [
        LogRow(where=f"step {step}", cells={"step": str(step), **series.steps[step]})
        for step in sorted(series.steps)
    ]
    return Log(path=str(path), rows=rows, facts=series.settings, one_run=True)


def _series(files: Iterable[Path], library: _Library) -> _Series:
    found = _Series()
    for path in files:
        for record in _records(path, library):
            try:
                event = library.event(record)
            except Exception as error:  # protobuf's DecodeError, by either of its libraries
                raise DataError(f"{path} is not an event file of TensorBoard: {error}") from None
            _take(found, event, path, library)
    return found


def _take(found: _Series, event: Any, path: Path, library: _Library) -> None:
    if event.HasField("session_log") and event.session_log.status == event.session_log.START:
        # Resumed here: what came after this step was lost with the process that wrote it.
        for step in [step for step in found.steps if step >= event.step]:
            del found.steps[step]
    for value in event.summary.value:
        plugin = value.metadata.plugin_data
        if plugin.plugin_name == "hparams":
            _take_settings(found, library.hparams(plugin.content))
            continue
        if plugin.plugin_name == "scalars":
            found.scalars.add(value.tag)
        number = _number(value, found.scalars, library)
        if number is not None:
            found.values += 1
            found.steps.setdefault(event.step, {})[value.tag] = repr(number)
    if found.values > _MOST_VALUES:
        raise DataError(f"{path}: its run has more than {_MOST_VALUES:,} values")


def _number(value: Any, scalars: set[str], library: _Library) -> float | None:
    """A scalar as either version of TensorFlow writes it, with the digits that it was given."""
    if value.HasField("simple_value"):
        return float(str(np.float32(value.simple_value)))  # 0.9, which is 0.8999999761581421
    if value.HasField("tensor") and value.tag in scalars:
        array = library.array(value.tensor)
        if array.size == 1:
            return float(str(array.reshape(-1)[0]))
    return None


def _take_settings(found: _Series, data: Any) -> None:
    if not data.HasField("session_start_info"):
        return
    found.session = True
    for name, value in data.session_start_info.hparams.items():
        kind = value.WhichOneof("kind")
        said = getattr(value, kind) if kind else None
        if isinstance(said, float) and said.is_integer():
            said = int(said)
        found.settings[f"config.{name}"] = cell(said)


def _records(path: Path, library: _Library) -> Iterator[bytes]:
    """The records of a file but large ones. One that is damaged or cut off ends it.

    Each is 8 bytes of length, 4 of its checksum, the record, and 4 of its checksum.

    Raises:
        DataError: It cannot be read, or begins with no record.
    """
    try:
        with path.open("rb") as file:
            end, first = os.fstat(file.fileno()).st_size, True
            while len(head := file.read(12)) == 12:
                length, check = struct.unpack("<QI", head)
                if library.checksum(head[:8]) != check:
                    if first:
                        raise DataError(f"{path} is not an event file of TensorBoard")
                    return
                first = False
                if file.tell() + length + 4 > end:
                    return
                if length > _LARGEST:
                    file.seek(length + 4, os.SEEK_CUR)
                    continue
                record, check = file.read(length), file.read(4)
                if library.checksum(record) != struct.unpack("<I", check)[0]:
                    return
                yield record
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


IMPORTER = Importer(
    name="tensorboard",
    about="TensorBoard: folders of event files, their scalars and hparams",
    recognises=_recognises,
    read=_read,
    extra="tensorboard",
)
