"""Answers of language models, question by question: samples of lm-evaluation-harness and Inspect.

A file is a run, each line or sample a question. The questions of several tasks, which lie in files
of their own, are told apart by the task's name; repeated samples of one model (Inspect's epochs)
are runs of it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from seedwise.errors import DataError
from seedwise.importers.evals import (
    inspect_facts,
    inspect_header,
    is_inspect,
    lm_eval_directions,
    lm_eval_results,
    opened,
    unpacked,
)
from seedwise.importers.logs import Candidate, Importer, Log, LogRow
from seedwise.importers.names import EXAMPLE, SEED, TASK
from seedwise.importers.records import cell

__all__ = ["INSPECT", "LM_EVAL"]

_MOST_BYTES, _MOST_LINES = 2**28, 1_000_000
_TASK = re.compile(r"samples_(.+?)_\d{4}-\d\d-\d\dT.*\.jsonl$")
_OTHERS = frozenset(("doc_id",))
_GRADES = {
    "c": 1.0,
    "p": 0.5,
    "i": 0.0,
    "n": 0.0,
    "yes": 1.0,
    "true": 1.0,
    "no": 0.0,
    "false": 0.0,
}
"""Inspect's grades: correct, partial, incorrect, no answer, as its `value_to_float` has them."""

_SUMMARIES = "summaries.json"


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
    facts, results = lm_eval_results(path)
    metrics = dict.fromkeys(metric for held in rows.values() for metric in held)
    return [
        Log(
            path=candidate.text,
            rows=[
                LogRow(where=places[name], cells={EXAMPLE: name, **held})
                for name, held in rows.items()
            ],
            facts={"setup": path.resolve().parent.name, **facts, TASK: task},
            one_run=True,
            example=EXAMPLE,
            better=lm_eval_directions(results, task, metrics),
        )
    ]


def _metrics(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The scores of a sample; those of a filter that is not `none` under its name too.

    A metric of the whole corpus has no number here: its cell is empty.
    """
    filtered = said.get("filter")
    end = f",{filtered}" if isinstance(filtered, str) and filtered != "none" else ""
    listed = said.get("metrics")
    for name in listed if isinstance(listed, list) else said:
        value = said.get(name) if isinstance(name, str) else None
        if name in _OTHERS or not (isinstance(listed, list) or _is_score(value)):
            continue
        yield f"{name}{end}", cell(float(value)) if _is_score(value) else ""


def _is_score(value: Any) -> TypeGuard[bool | float]:
    return isinstance(value, bool | int | float)


def _read_inspect(candidate: Candidate) -> list[Log]:
    header, samples = _inspect(candidate)
    task, facts = inspect_facts(header)
    rows, graded = list[LogRow](), set[str]()
    for sample in samples if facts["state"] == "success" else ():
        name, epoch = cell(sample.get("id")), sample.get("epoch", 1)
        cells = dict(_grades(sample.get("scores"), graded))
        if not name or not cells or not isinstance(epoch, int):
            raise DataError(
                f"{candidate.text}: sample {name or '?'} has no score; Inspect scores it later by "
                "`inspect score`"
            )
        about = {EXAMPLE: f"{task}/{name}", SEED: str(epoch - 1)}
        rows.append(LogRow(where=f"sample {name}, epoch {epoch}", cells={**about, **cells}))
    if facts["state"] != "success":  # a row says so; the samples of an unfinished log may be few
        rows = [LogRow(where="log", cells={})]
    return [
        Log(
            path=candidate.text,
            rows=rows,
            facts={**facts, TASK: task},
            example=EXAMPLE,
            better=dict.fromkeys(graded, "higher"),
        )
    ]


def _grades(scores: Any, graded: set[str]) -> Iterator[tuple[str, str]]:
    """The scores of a sample as numbers; of a scorer with several values under their names too.

    Args:
        scores: As the log has them, by scorer.
        graded: Gets the names of those that are grades, of which the best is 1.
    """
    for scorer, score in scores.items() if isinstance(scores, dict) else ():
        value = score.get("value") if isinstance(score, dict) else None
        parts = {str(scorer): value}
        if isinstance(value, dict):
            parts = {f"{scorer}/{name}": part for name, part in value.items()}
        for name, part in parts.items():
            number = _GRADES.get(part.lower(), part) if isinstance(part, str) else part
            if isinstance(number, bool) or number is not part:
                graded.add(name)
            yield name, cell(float(number)) if _is_score(number) else cell(number)


def _inspect(candidate: Candidate) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header and the samples of a log of Inspect's.

    An archive has summaries of its samples, with their scores and without what was said.
    """
    path = candidate.path
    if path.suffix != ".eval":
        said = _object(b"".join(_lines(candidate)), str(path))
        samples = said.get("samples")
        return said, [each for each in samples or () if isinstance(each, dict)]
    with opened(path) as archive:
        names = archive.namelist()
        header = _object(inspect_header(path, archive), str(path))
        if _SUMMARIES in names:
            found = _json(unpacked(path, archive, _SUMMARIES), f"{path}, {_SUMMARIES}")
            if isinstance(found, list) and all(isinstance(each, dict) for each in found):
                return header, found
        parts = [name for name in names if name.startswith("samples/")]
        if sum(archive.getinfo(name).file_size for name in parts) > _MOST_BYTES:
            raise DataError(f"{path} would unpack to more than {_MOST_BYTES:,} bytes")
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
    said = _json(text, where)
    if not isinstance(said, dict):
        raise DataError(f"{where}: it is not a JSON object")
    return said


def _json(text: bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: it is not JSON: {error}") from None


LM_EVAL = Importer(
    name="lm-eval-samples",
    about="lm-evaluation-harness with --log_samples: samples_*.jsonl, a score for each question",
    recognises=_is_lm_eval,
    read=_read_lm_eval,
    means="lm-eval",
)
INSPECT = Importer(
    name="inspect-samples",
    about="Inspect: the samples of a log, a score for each question; epochs are runs",
    recognises=is_inspect,
    read=_read_inspect,
    extra="inspect",
    means="inspect",
)
