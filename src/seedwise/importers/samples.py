"""Answers of language models, question by question: samples of lm-evaluation-harness and Inspect.

A file is a run, each line or sample a question. The questions of several tasks, which lie in files
of their own, are told apart by the task's name; repeated samples of one model (Inspect's epochs)
are runs of it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from seedwise.errors import DataError
from seedwise.importers.evals import opened, unpacked
from seedwise.importers.logs import Candidate, Importer, Log, LogRow
from seedwise.importers.records import cell

__all__ = ["INSPECT", "LM_EVAL"]

_MOST_BYTES, _MOST_LINES = 2**28, 1_000_000
_TASK = re.compile(r"samples_(.+?)_\d{4}-\d\d-\d\dT.*\.jsonl$")
_OTHERS = frozenset(("doc_id",))
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""Inspect's grades: correct, partial, incorrect, no answer, as its `value_to_float` has them."""


def _is_lm_eval(candidate: Candidate) -> bool:
    head = candidate.head
    marks = b'"doc_hash"' in head or b'"filtered_resps"' in head or b'"resps"' in head
    return candidate.path.suffix == ".jsonl" and b'"doc_id"' in head and marks


def _read_lm_eval(candidate: Candidate) -> list[Log]:
    path = candidate.path
    named = _TASK.match(path.name)
    task = named[1] if named else path.stem.removeprefix("samples_")
    rows = dict[str, dict[str, str]]()
    places = dict[str, str]()
    for number, line in enumerate(_lines(candidate), start=1):
        said = _object(line, f"{path}, line {number}")
        if "doc_id" not in said:
            raise DataError(f"{path}, line {number}: no doc_id: it is no sample of lm-eval")
        name = f"{task}/{cell(said['doc_id'])}"
        places.setdefault(name, f"line {number}")
        held = rows.setdefault(name, {})
        for metric, value in _metrics(said):
            if metric in held:
                raise DataError(f"{path}, line {number}: doc_id {said['doc_id']} is there twice")
            held[metric] = value
    return [
        Log(
            path=candidate.text,
            rows=[
                LogRow(where=places[name], cells={"example": name, **held})
                for name, held in rows.items()
            ],
            facts={"setup": path.resolve().parent.name},
            one_run=True,
            example="example",
        )
    ]


def _metrics(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The scores of a sample; those of a filter that is not `none` under its name too."""
    filtered = said.get("filter")
    end = f",{filtered}" if isinstance(filtered, str) and filtered != "none" else ""
    listed = said.get("metrics")
    for name in listed if isinstance(listed, list) else said:
        value = said.get(name) if isinstance(name, str) else None
        if isinstance(value, bool | int | float) and name not in _OTHERS:
            yield f"{name}{end}", cell(float(value))


def _is_inspect(candidate: Candidate) -> bool:
    return False  # its results are read by the importer `inspect`, unless --format says otherwise


def _read_inspect(candidate: Candidate) -> list[Log]:
    header, samples = _inspect(candidate)
    run = header.get("eval")
    run = run if isinstance(run, dict) else {}
    task = str(run.get("task", "")).rpartition("/")[2]
    rows = list[LogRow]()
    for sample in samples:
        name, epoch = cell(sample.get("id")), sample.get("epoch", 1)
        cells = dict(_grades(sample.get("scores")))
        if not name or not cells or not isinstance(epoch, int):
            raise DataError(
                f"{candidate.text}: sample {name or '?'} has no score; Inspect scores it later by "
                "`inspect score`"
            )
        about = {"example": f"{task}/{name}", "seed": str(epoch - 1)}
        rows.append(LogRow(where=f"sample {name}, epoch {epoch}", cells={**about, **cells}))
    return [
        Log(
            path=candidate.text,
            rows=rows,
            facts={"setup": str(run.get("model", ""))},
            example="example",
        )
    ]


def _grades(scores: Any) -> Iterator[tuple[str, str]]:
    """The score of each scorer as a number."""
    for name, score in scores.items() if isinstance(scores, dict) else ():
        value = score.get("value") if isinstance(score, dict) else None
        if isinstance(value, str):
            value = _LETTERS.get(value, value)
        if isinstance(value, bool | int | float):
            yield str(name), cell(float(value))


def _inspect(candidate: Candidate) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header and the samples of a log of Inspect's."""
    path = candidate.path
    if path.suffix != ".eval":
        said = _object(b"".join(_lines(candidate)), str(path))
        samples = said.get("samples")
        return said, [each for each in samples or () if isinstance(each, dict)]
    with opened(path) as archive:
        names = archive.namelist()
        if sum(archive.getinfo(name).file_size for name in names) > _MOST_BYTES:
            raise DataError(f"{path} would unpack to more than {_MOST_BYTES:,} bytes")
        header = _object(unpacked(path, archive, "header.json"), f"{path}, header.json")
        parts = [name for name in names if name.startswith("samples/")]
        read = [_object(unpacked(path, archive, name), f"{path}, {name}") for name in parts]
        return header, read


def _lines(candidate: Candidate) -> Iterator[bytes]:
    """The lines of a file that are not empty."""
    try:
        with candidate.path.open("rb") as file:
            read = 0
            for number, line in enumerate(file):
                read += len(line)
                if number > _MOST_LINES or read > _MOST_BYTES:
                    raise DataError(
                        f"{candidate.path} has more than {_MOST_LINES:,} lines or "
                        f"{_MOST_BYTES:,} bytes"
                    )
                if line.strip():
                    yield line
    except OSError as error:
        raise DataError(f"{candidate.path} cannot be read: {error.strerror}") from None


def _object(text: bytes, where: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: it is no JSON: {error}") from None
    if not isinstance(said, dict):
        raise DataError(f"{where}: it is no JSON object")
    return said


LM_EVAL = Importer(
    name="lm-eval-samples",
    about="lm-evaluation-harness with --log_samples: samples_*.jsonl, a score for each question",
    recognises=_is_lm_eval,
    read=_read_lm_eval,
)
INSPECT = Importer(
    name="inspect-samples",
    about="Inspect: the samples of a log, a score for each question; epochs are runs",
    recognises=_is_inspect,
    read=_read_inspect,
    extra="inspect",
)
