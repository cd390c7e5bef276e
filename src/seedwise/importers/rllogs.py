"""Ray Tune's folders of trials, and the monitor files of stable-baselines."""

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from seedwise.errors import DataError
from seedwise.importers.configuration import read_settings
from seedwise.importers.csvfile import read_csv
from seedwise.importers.jsonfile import read_lines, text_of
from seedwise.importers.logs import Candidate, Importer, Log, LogRow
from seedwise.importers.records import flat

__all__ = ["MONITOR", "RAY"]

_RESULT, _PROGRESS, _PARAMS, _ERROR = "result.json", "progress.csv", "params.json", "error.txt"
_OF_RAY = frozenset(
    (
        *("date", "done", "episodes_total", "experiment_id", "experiment_tag", "hostname"),
        *("iterations_since_restore", "node_ip", "pid", "should_checkpoint", "time_since_restore"),
        *("time_this_iter_s", "time_total_s", "timestamp", "timesteps_since_restore"),
        *("timesteps_total", "trial_id", "warmup_time", "checkpoint_dir_name"),
    )
)
_EPISODES = 100
"""Episodes of the mean that stable-baselines prints as ep_rew_mean."""


def _is_trial(candidate: Candidate) -> bool:
    names = candidate.names
    return _RESULT in names or (_PROGRESS in names and _PARAMS in names)


def _read_trial(candidate: Candidate) -> Iterable[Log]:
    """The results of a trial, with its configuration and how it ended."""
    if not candidate.is_folder:
        raise DataError(f"{candidate.text} is no folder of a trial of Ray Tune")
    settings, name = dict[str, str](), ""
    if _PARAMS in candidate.names:
        settings |= read_settings(candidate.path / _PARAMS)
    rows, seconds = list[LogRow](), ""
    for row in _results(candidate):
        cells = {_dotted(column): cell for column, cell in row.cells.items()}
        settings |= {c: cell for c, cell in cells.items() if c.startswith("config.") and cell}
        name, seconds = row["trial_id"] or name, row["time_total_s"] or seconds
        kept = {c: x for c, x in cells.items() if c not in _OF_RAY and not c.startswith("config.")}
        rows.append(replace(row, cells=kept))
    failed = _ERROR in candidate.names
    state = "error" if failed else _states(candidate.path.parent).get(name, "")
    facts = {"seconds": seconds, "state": state, "trial_id": name}
    return [
        Log(
            path=candidate.text,
            rows=rows or [LogRow(where="its end", cells={})],
            facts={**settings, **{fact: cell for fact, cell in facts.items() if cell}},
            one_run=True,
        )
    ]


def _results(trial: Candidate) -> Sequence[LogRow]:
    """Results that a trial reported; none if it failed before it did."""
    for name, read in ((_RESULT, read_lines), (_PROGRESS, read_csv)):
        path = trial.path / name
        if name in trial.names and path.stat().st_size:
            return read(path).rows
    return ()


def _states(experiment: Path) -> Mapping[str, str]:
    """State of each trial of an experiment, by its id, as its last state file says."""
    found = sorted(experiment.glob("experiment_state-*.json"))
    return _states_in(found[-1], found[-1].stat().st_mtime_ns) if found else {}


@lru_cache(maxsize=4)  # each trial asks
def _states_in(path: Path, _: int) -> Mapping[str, str]:
    try:
        trials = [json.loads(trial[0]) for trial in json.loads(text_of(path))["trial_data"]]
        return {str(trial["trial_id"]): str(trial["status"]).lower() for trial in trials}
    except (DataError, LookupError, TypeError, ValueError, RecursionError):
        return {}


def _dotted(column: str) -> str:
    return column.replace("/", ".") if column.startswith("config/") else column


RAY = Importer(
    name="ray",
    about="Ray Tune: the folder of an experiment, with result.json or progress.csv in each trial",
    recognises=_is_trial,
    read=_read_trial,
)


def _has_monitors(candidate: Candidate) -> bool:
    if candidate.is_folder:
        return any(name.endswith("monitor.csv") for name in candidate.names)
    return (
        candidate.head.lstrip(b"\xef\xbb\xbf").startswith(b"#{")
        and b"t_start" in candidate.head[:999]
    )


def _read_monitors(candidate: Candidate) -> Iterable[Log]:
    """The episodes of a run, of all its environments in the order in which they ended.

    A row has the mean reward of the last 100 episodes, as stable-baselines prints it: that of one
    episode says little of the policy.
    """
    names = sorted(name for name in candidate.names if name.endswith("monitor.csv"))
    paths = [candidate.path / name for name in names] if names else [candidate.path]
    episodes, facts = list[tuple[float, int, float]](), dict[str, str]()
    for path in paths:
        log = read_csv(path)
        facts |= _head_of(Candidate(text=str(path)).head)
        for row in log.rows:
            try:
                episodes.append((float(row["t"]), int(float(row["l"])), float(row["r"])))
            except (ValueError, OverflowError):
                raise DataError(
                    f"{path}, {row.where}: an episode has numbers r, l and t"
                ) from None
    rows, steps, last = list[LogRow](), 0, deque[float](maxlen=_EPISODES)
    for number, (_, length, reward) in enumerate(sorted(episodes), 1):
        steps += length
        last.append(reward)
        cells = {"timesteps": str(steps), "ep_rew_mean": repr(sum(last) / len(last))}
        rows.append(LogRow(where=f"episode {number}", cells=cells))
    return [Log(path=candidate.text, rows=rows, facts=facts, one_run=True)]


def _head_of(head: bytes) -> Mapping[str, str]:
    """Parse the first line: `#{"t_start": 1.5, "env_id": "CartPole-v1"}`."""
    line = head.lstrip(b"\xef\xbb\xbf#").partition(b"\n")[0]
    try:
        value = json.loads(line)
        found = flat(value) if isinstance(value, Mapping) else {}
    except (ValueError, RecursionError, DataError):
        return {}
    return {"env_id": found["env_id"]} if found.get("env_id", "None") != "None" else {}


MONITOR = Importer(
    name="monitor",
    about="stable-baselines: monitor.csv, the mean reward of the last 100 episodes",
    recognises=_has_monitors,
    read=_read_monitors,
)
