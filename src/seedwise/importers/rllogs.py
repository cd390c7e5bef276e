"""Ray Tune's folders of trials, and the monitor files of stable-baselines."""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace

from seedwise.errors import DataError
from seedwise.importers.configuration import read_settings
from seedwise.importers.csvfile import read_csv
from seedwise.importers.jsonfile import read_lines
from seedwise.importers.logs import Candidate, Importer, Log, LogRow
from seedwise.importers.records import flat

__all__ = ["MONITOR", "RAY"]

_RESULT, _PROGRESS, _PARAMS = "result.json", "progress.csv", "params.json"
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
    """The results of a trial, with its configuration."""
    if not candidate.is_folder:
        raise DataError(f"{candidate.text} is no folder of a trial of Ray Tune")
    names = candidate.names
    table = read_lines(candidate.path / _RESULT) if _RESULT in names else None
    if table is None:
        table = read_csv(candidate.path / _PROGRESS)
    settings = dict(read_settings(candidate.path / _PARAMS)) if _PARAMS in names else {}
    rows = list[LogRow]()
    for row in table.rows:
        cells = {_dotted(column): cell for column, cell in row.cells.items()}
        settings |= {c: cell for c, cell in cells.items() if c.startswith("config.") and cell}
        kept = {c: x for c, x in cells.items() if c not in _OF_RAY and not c.startswith("config.")}
        rows.append(replace(row, cells=kept))
    seconds = table.rows[-1]["time_total_s"]
    facts = {**settings, **({"seconds": seconds} if seconds else {})}
    return [Log(path=candidate.text, rows=rows, facts=facts, one_run=True)]


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
    """What the first line says: `#{"t_start": 1.5, "env_id": "CartPole-v1"}`."""
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
