"""Evaluations of language models: results of lm-evaluation-harness, and logs of Inspect.

A file is a run, its setup the model, its metrics `task/metric`. Both formats are JSON and
documented, and both libraries take hundreds of megabytes: neither is needed here.
"""

import json
import re
import struct
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

from seedwise.errors import DataError, MissingPackage
from seedwise.importers.logs import Candidate, Importer, Log, LogRow
from seedwise.importers.records import cell, flat

__all__ = [
    "INSPECT",
    "LM_EVAL",
    "inspect_facts",
    "inspect_header",
    "is_inspect",
    "lm_eval_directions",
    "lm_eval_results",
    "opened",
    "unpacked",
]

_MOST_BYTES = 2**28
_SPREADS = re.compile(r"(bootstrap_)?(stderr|std|var)(\W|$)|.*_stderr(,|$)")
"""Metrics that say how uncertain another is."""

_LM_EVAL_HEAD = re.compile(rb'\s*\{\s*"results"\s*:\s*\{')
_LM_EVAL_MARK = re.compile(rb'"[^"]+,[\w-]+"\s*:|"lm_eval_version"|"versions"')
_INSPECT_HEAD = re.compile(rb'\s*\{\s*"version"\s*:\s*\d+,\s*"status"\s*:.*"eval"', re.DOTALL)
_HEADER, _START = "header.json", "_journal/start.json"
_ZSTD = 93


def _is_lm_eval(candidate: Candidate) -> bool:
    if candidate.path.suffix != ".json":
        return False
    head = candidate.head
    return bool(_LM_EVAL_HEAD.match(head) and _LM_EVAL_MARK.search(head))


def _read_lm_eval(candidate: Candidate) -> list[Log]:
    said = _json(candidate.path, _content(candidate.path))
    cells, better = dict[str, str](), dict[str, str]()
    for task, metrics in _mapping(said, "results").items():
        found = {
            metric.removesuffix(",none"): cell(value)
            for metric, value in (metrics.items() if isinstance(metrics, dict) else ())
            if _is_number(value) and metric != "sample_len" and not _SPREADS.match(metric)
        }
        cells |= {f"{task}/{metric}": text for metric, text in found.items()}
        ways = lm_eval_directions(said, task, found)
        better |= {f"{task}/{metric}": way for metric, way in ways.items()}
    seconds = said.get("total_evaluation_time_seconds")
    return [
        Log(
            path=candidate.text,
            rows=[LogRow(where="results", cells=cells)],
            facts={**flat({"seconds": seconds}), **_lm_eval_facts(said)},
            one_run=True,
            better=better,
        )
    ]


def lm_eval_results(path: Path) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """Model and settings in the results beside samples, and all that stands in these.

    Both are empty where there are no such results. They are told by the time of the run.
    """
    time = path.stem.rpartition("_")[2]
    for beside in sorted(path.parent.glob(f"*_{escape(time)}.json")):
        if _is_lm_eval(Candidate(text=str(beside))):
            said = _json(beside, _content(beside))
            return _lm_eval_facts(said), said
    return {}, {}


def lm_eval_directions(
    said: Mapping[str, Any], task: str, metrics: Iterable[str]
) -> dict[str, str]:
    """The directions of a task's metrics as its results say them; their names may have filters."""
    ways = _mapping(said, "higher_is_better", task)
    known = {metric: ways.get(metric.partition(",")[0]) for metric in metrics}
    return {
        metric: "higher" if higher else "lower"
        for metric, higher in known.items()
        if isinstance(higher, bool)
    }


def _lm_eval_facts(said: Mapping[str, Any]) -> dict[str, str]:
    config = _mapping(said, "config")
    return {"setup": _model(said, config), **flat(config, "config.")}


def _model(said: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """The model as the harness names it; its oldest versions have it in the arguments only."""
    args = config.get("model_args")
    if isinstance(args, str):
        args = dict(part.split("=", 1) for part in args.split(",") if "=" in part)
    named = args if isinstance(args, dict) else {}
    found = (
        said.get("model_name") or named.get("pretrained") or named.get("model"),
        config.get("model"),
    )
    return next((str(name) for name in found if name), "")


def is_inspect(candidate: Candidate) -> bool:
    """True of a log of Inspect's, which holds both results and samples."""
    if candidate.path.suffix == ".eval":
        return candidate.head.startswith(b"PK")
    return candidate.path.suffix == ".json" and bool(_INSPECT_HEAD.match(candidate.head))


def _read_inspect(candidate: Candidate) -> list[Log]:
    path = candidate.path
    content = _header(path) if path.suffix == ".eval" else _content(path)
    said = _json(path, content)
    task, facts = inspect_facts(said)
    found = [(f"{task}/{name}", value) for name, value in _scores(said) if _is_number(value)]
    return [
        Log(
            path=candidate.text,
            rows=[LogRow(where="results", cells={name: cell(value) for name, value in found})],
            facts=facts,
            one_run=True,
        )
    ]


def inspect_facts(said: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The task of a log of Inspect's, and its model, state and settings."""
    run = _mapping(said, "eval")
    settings = {
        **_mapping(run, "model_generate_config"),
        **{name: run.get(name) for name in ("task_args", "model_args", "metadata")},
        **({"solver": run["solver"]} if run.get("solver") else {}),
    }
    return str(run.get("task", "")).rpartition("/")[2], {
        "setup": str(run.get("model", "")),
        "state": str(said.get("status", "started")),
        **flat(settings, "config."),
    }


def _scores(said: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each metric of each scorer, `match/accuracy`, but those that say how uncertain one is."""
    scores = _mapping(said, "results").get("scores")
    for score in scores if isinstance(scores, list) else []:
        for name, metric in _mapping(score, "metrics").items():
            if not _SPREADS.match(name):
                yield f"{score.get('name')}/{name}", _mapping(metric).get("value")


def _header(path: Path) -> bytes:
    """Content of an archive beside the samples; of a run that was killed, its beginning."""
    with opened(path) as archive:
        return inspect_header(path, archive)


def inspect_header(path: Path, archive: zipfile.ZipFile) -> bytes:
    """Content of an archive of Inspect's beside the samples, unpacked."""
    return unpacked(path, archive, _HEADER if _HEADER in archive.namelist() else _START)


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive of Inspect's, opened to be read.

    Raises:
        DataError: It is none, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(f"{path} is not a log of Inspect: {error}") from None


def unpacked(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    """A file of an archive of Inspect's.

    Raises:
        DataError: It is damaged, or has more than 256 MiB.
        MissingPackage: It is compressed with zstd, which Python has from 3.14 on.
    """
    part = archive.getinfo(name)
    if part.file_size > _MOST_BYTES:
        raise DataError(f"{path}: {name} has more than {_MOST_BYTES:,} bytes")
    if part.compress_type != _ZSTD or sys.version_info >= (3, 14):
        return archive.read(part)
    return _decompressed(path, part)


def _decompressed(path: Path, part: zipfile.ZipInfo) -> bytes:
    try:
        import zstandard  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        name = error.name or "zstandard"
        raise MissingPackage(name, "a log of Inspect", extra="inspect") from None
    with path.open("rb") as file:
        file.seek(part.header_offset + 26)  # a local header: 30 bytes, a name, and what is extra
        file.seek(sum(struct.unpack("<HH", file.read(4))), 1)
        packed = file.read(part.compress_size)
    try:
        with zstandard.ZstdDecompressor().stream_reader(packed) as stream:
            return stream.read(part.file_size)
    except zstandard.ZstdError as error:
        raise DataError(f"{path} is damaged: {error}") from None


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise DataError(
            f"{path} has more than {_MOST_BYTES:,} bytes; write Inspect's logs as .eval "
            "(`inspect log convert`), which can be read in part"
        )
    return content


def _json(path: Path, content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from None
    if not isinstance(said, dict):
        raise DataError(f"{path} holds no JSON object")
    return said


def _mapping(said: Any, *names: str) -> dict[str, Any]:
    for name in names:
        said = said.get(name) if isinstance(said, dict) else None
    return said if isinstance(said, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


LM_EVAL = Importer(
    name="lm-eval",
    about="lm-evaluation-harness: results*.json, the model as setup, a metric for each task",
    recognises=_is_lm_eval,
    read=_read_lm_eval,
)
INSPECT = Importer(
    name="inspect",
    about="Inspect: logs (.eval or .json), the model as setup, a metric for each scorer",
    recognises=is_inspect,
    read=_read_inspect,
    extra="inspect",
)
