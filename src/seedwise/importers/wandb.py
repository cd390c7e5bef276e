"""W&B's folders of runs on this machine: what `wandb sync` would send, read and not sent."""

import json
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seedwise.errors import DataError, MissingPackage
from seedwise.importers.logs import Candidate, Importer, Log, LogRow
from seedwise.importers.records import flat

__all__ = ["IMPORTER"]

_RUN = re.compile(r"(offline-)?run-\d{8}_\d{6}-.+")
_FILE = ".wandb"
_MARK = b":W&B"
_BLOCK, _HEAD = 2**15, 7
_WHOLE, _FIRST, _LAST = 1, 2, 4
_LARGEST = 2**24
_MOST_VALUES = 2_000_000
_OWN = ("_runtime", "_timestamp", "_wandb")
"""Keys of W&B's own in what a run logs."""


@dataclass(slots=True, kw_only=True, eq=False)
class _WandbRun:
    """Content of a run's file, as far as it was read."""

    head: dict[str, str] = field(default_factory=dict[str, str])
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    history: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    summary: dict[str, str] = field(default_factory=dict[str, str])
    began: float = 0.0
    values: int = 0
    state: str = "crashed"
    """A run that ends says so; one that was killed does not."""

    def resume(self, part: "_WandbRun") -> None:
        """Add what a later folder of the same run holds."""
        self.head |= part.head
        self.config |= part.config
        self.history += part.history
        self.summary |= part.summary
        self.state = part.state


def _recognises(candidate: Candidate) -> bool:
    if candidate.is_folder:
        return any(_RUN.fullmatch(name) or name.endswith(_FILE) for name in candidate.names)
    return candidate.path.suffix == _FILE and candidate.head.startswith(_MARK)


def _read(candidate: Candidate) -> list[Log]:
    parse = _library()
    parts = [(_run(path, parse), path) for path in _files(candidate)]
    parts.sort(key=lambda pair: pair[0].began)
    found: dict[str, tuple[_WandbRun, Path]] = {}
    for part, path in parts:
        run, first = found.setdefault(part.head.get("run_id") or str(path), (part, path))
        if path is not first:
            run.resume(part)
    return [_log(candidate.text, path, run) for run, path in found.values()]


def _files(candidate: Candidate) -> list[Path]:
    """The files of the runs of a folder."""
    if not candidate.is_folder:
        return [candidate.path]
    found = [name for name in candidate.names if name.endswith(_FILE)]
    for name in filter(_RUN.fullmatch, candidate.names):
        within = Candidate(text=str(candidate.path / name))
        found += [f"{name}/{file}" for file in within.names if file.endswith(_FILE)]
    return [candidate.path / name for name in sorted(found)]


def _library() -> Any:
    try:
        from wandb.proto.wandb_internal_pb2 import (  # pyright: ignore[reportMissingImports]
            Record,
        )
    except ModuleNotFoundError as error:
        raise MissingPackage(error.name or "wandb", "a run of W&B", extra="wandb") from None
    return Record.FromString


def _run(path: Path, parse: Any) -> _WandbRun:
    found = _WandbRun()
    for data in _records(path):
        try:
            record = parse(data)
        except Exception as error:  # protobuf's DecodeError, by either of its libraries
            raise DataError(f"{path} is not a run of W&B: {error}") from None
        _take(found, record)
        if found.values > _MOST_VALUES:
            raise DataError(f"{path} has more than {_MOST_VALUES:,} values")
    return found


def _take(found: _WandbRun, record: Any) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        run = record.run
        found.head |= {
            "name": run.display_name,
            "group": run.run_group,
            "job_type": run.job_type,
            "project": run.project,
            "run_id": run.run_id,
        }
        found.began = run.start_time.seconds + run.start_time.nanos / 1e9
        _update(found.config, run.config)
    elif kind == "config":
        _update(found.config, record.config)
    elif kind == "history":
        row = _leaves(record.history.item, cells=True)
        found.history.append({k: v for k, v in row.items() if k.split(".")[0] not in _OWN and v})
        found.values += len(row)
    elif kind == "summary":
        for item in record.summary.remove:
            found.summary.pop(_name(item), None)
        found.summary |= _leaves(record.summary.update, cells=True)
    elif kind == "exit":
        found.state = "failed" if record.exit.exit_code else "finished"


def _update(config: dict[str, Any], change: Any) -> None:
    for item in change.remove:
        config.pop(_name(item), None)
    config |= _leaves(change.update, cells=False)


def _leaves(items: Iterable[Any], *, cells: bool) -> dict[str, Any]:
    """Values by dotted names. An object within, such as a picture, has a `_type`: it is none."""
    found = dict[str, Any]()
    for item in items:
        try:
            value = json.loads(item.value_json)
        except (ValueError, RecursionError):
            continue
        found[_name(item)] = value
    if not cells:
        return found
    typed = {name.removesuffix("_type") for name in found if name.endswith("._type")}
    plain = {
        name: value
        for name, value in found.items()
        if not (isinstance(value, dict) and "_type" in value)
        and not any(name.startswith(prefix) for prefix in typed)
    }
    return {name: text for name, text in sorted(flat(plain).items()) if text}


def _name(item: Any) -> str:
    return item.key or ".".join(item.nested_key)


def _log(place: str, path: Path, run: _WandbRun) -> Log:
    """Its path ends with the name that W&B shows it by, which may say setup and seed."""
    last = dict[str, str]()
    for cells in run.history:
        last |= cells
    # What the summary has beside the last values: a test's result, the best of a curve.
    own = {
        f"summary.{name}" if name in last else name: text
        for name, text in sorted(run.summary.items())
        if name.split(".")[0] not in (*_OWN, "_step") and last.get(name) != text
    }
    config = {name: value for name, value in run.config.items() if name != "_wandb"}
    rows = [
        LogRow(where=f"step {cells.get('_step', place)}", cells={**own, **cells})
        for place, cells in enumerate(run.history)
    ]
    return Log(
        path=f"{place}/{run.head.get('name') or path.stem}",
        rows=rows or [LogRow(where="summary", cells=own)],
        facts={
            **{name: text for name, text in run.head.items() if text},
            "state": run.state,
            **flat(config, "config."),
        },
        one_run=True,
    )


def _records(path: Path) -> Iterator[bytes]:
    """The records of a file in LevelDB's log format; one that was cut off ends it.

    Blocks of 32 KiB of pieces of records, each with a head: checksum, length, kind.

    Raises:
        DataError: It cannot be read, or is of no W&B.
    """
    try:
        with path.open("rb") as file:
            if not file.read(_HEAD).startswith(_MARK):
                raise DataError(f"{path} is not a run of W&B")
            record, place = b"", _HEAD
            while True:
                if _BLOCK - place % _BLOCK < _HEAD:  # no room for a head: padded
                    place += len(file.read(_BLOCK - place % _BLOCK))
                head = file.read(_HEAD)
                if len(head) < _HEAD:
                    return
                check, length, kind = struct.unpack("<IHB", head)
                piece = file.read(length)
                place += _HEAD + length
                if zlib.crc32(piece, zlib.crc32(head[6:])) != check:
                    return
                record = piece if kind in (_WHOLE, _FIRST) else record + piece
                if kind in (_WHOLE, _LAST) and len(record) <= _LARGEST:
                    yield record
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


IMPORTER = Importer(
    name="wandb",
    about="W&B: folders of runs that it wrote here (wandb/offline-run-*), synced or not",
    recognises=_recognises,
    read=_read,
    extra="wandb",
)
