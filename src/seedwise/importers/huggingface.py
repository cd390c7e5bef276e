"""Files of Hugging Face's Trainer: `trainer_state.json`, `all_results.json`."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from seedwise.errors import DataError
from seedwise.importers.jsonfile import parsed, text_of
from seedwise.importers.logs import Candidate, Importer, Log, LogRow
from seedwise.importers.records import flat

__all__ = ["IMPORTER"]

_STATE = "trainer_state.json"
_RESULTS = ("all_results.json", "eval_results.json", "test_results.json", "train_results.json")
_CHECKPOINT = re.compile(r"checkpoint-(\d{1,12})")
_SPEED = re.compile(
    r".*(_runtime|_per_second|_samples|_compilation_time)|total_flos|learning_rate|grad_norm"
    r"|num_input_tokens_seen"
)
"""Speed and settings, which stand beside the metrics."""


def _recognises(candidate: Candidate) -> bool:
    if candidate.is_folder:
        return (
            bool({_STATE, *_RESULTS} & candidate.names) or _last_checkpoint(candidate) is not None
        )
    return candidate.path.name in (_STATE, *_RESULTS)


def _last_checkpoint(folder: Candidate) -> Path | None:
    """The state of the last checkpoint in the folder of a run, if there is one."""
    numbers = [int(found[1]) for found in map(_CHECKPOINT.fullmatch, folder.names) if found]
    states = [folder.path / f"checkpoint-{number}" / _STATE for number in sorted(numbers)]
    return next((state for state in reversed(states) if state.is_file()), None)


def _read(candidate: Candidate) -> Iterable[Log]:
    """One log of a file, or of the folder of a run: its history, and then its results."""
    rows, seconds = list[LogRow](), dict[str, str]()
    for path in _files(candidate):
        value = parsed(text_of(path), str(path))
        if not isinstance(value, Mapping):
            raise DataError(f"{path} is no {path.name} of Hugging Face's Trainer: it is no record")
        whole = {**value, **_runtime(value)}
        if path.name == _STATE:
            rows += _history(path, whole)
            whole = next((each for each in reversed(whole["log_history"]) if _runtime(each)), {})
        else:
            rows.append(LogRow(where=_where(candidate, path), cells=_cells(path, value)))
        seconds |= _runtime(whole)
    if not rows:
        raise DataError(f"{candidate.text} has no evaluation yet")
    return [Log(path=candidate.text, rows=rows, facts=seconds, one_run=True)]


def _files(candidate: Candidate) -> list[Path]:
    if not candidate.is_folder:
        return [candidate.path]
    state = candidate.path / _STATE if _STATE in candidate.names else _last_checkpoint(candidate)
    # all_results.json has what the others have
    results = next((n for n in _RESULTS if n in candidate.names), None)
    found = [state] if state else []
    return [*found, candidate.path / results] if results else found


def _history(path: Path, state: Mapping[str, Any]) -> list[LogRow]:
    history = state.get("log_history")
    if not isinstance(history, list) or not all(isinstance(each, Mapping) for each in history):
        raise DataError(f"{path} is no state of Hugging Face's Trainer: it has no log_history")
    return [
        LogRow(where=f"step {each.get('step', number)}", cells=_cells(path, each))
        for number, each in enumerate(history)
    ]


def _where(candidate: Candidate, path: Path) -> str:
    return path.name if candidate.is_folder else "its record"


def _cells(path: Path, record: Mapping[str, Any]) -> dict[str, str]:
    try:
        cells = flat(record)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return {name: text for name, text in cells.items() if not _SPEED.fullmatch(name)}


def _runtime(record: Mapping[str, Any]) -> dict[str, str]:
    seconds = record.get("train_runtime")
    return {"seconds": repr(seconds)} if isinstance(seconds, int | float) else {}


IMPORTER = Importer(
    name="huggingface",
    about="Hugging Face's Trainer: trainer_state.json, all_results.json",
    recognises=_recognises,
    read=_read,
)
