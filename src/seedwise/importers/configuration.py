"""Configuration files beside a log: JSON and YAML, as columns `config.*`."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from seedwise.errors import DataError
from seedwise.importers.logs import Candidate
from seedwise.importers.records import flat

__all__ = ["configuration_in", "configured", "read_settings"]

_STEMS = ("config", "hparams", "params", "args", "hyperparameters", "configuration")
_NAMES = (
    *(stem + ending for stem in _STEMS for ending in (".json", ".yaml", ".yml")),
    ".hydra/config.yaml",
)
_MOST_BYTES = 2**18
_MOST_BRACKETS, _MOST_INDENT = 1_000, 400
_TEXTS: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""Takes every value as text, and makes nothing that a tag asks for. The loader in C is ten times
as fast as the other one; 60,000 brackets crash it, so that nesting is bounded before."""


def configured(candidate: Candidate, root: Path, alone: Collection[str]) -> Mapping[str, str]:
    """Settings in the configuration files of a run: those of its folder, and of folders around it.

    Args:
        candidate: The log of the run.
        root: The folder that was looked through.
        alone: Folders in which there is no other run.
    """
    found: dict[str, str] = {}
    path = candidate.path
    for folder in [path, *path.parents] if candidate.is_folder else path.parents:
        if str(folder) not in alone:
            break
        found = {**configuration_in(folder), **found}
        if folder == root:
            break
    return found


def configuration_in(folder: Path) -> Mapping[str, str]:
    """The settings of the configuration files in a folder, under `config.`; as cells."""
    found: dict[str, str] = {}
    for name in _NAMES:
        path = folder / name
        if path.is_file():
            found |= read_settings(path)
    return found


def read_settings(path: Path) -> Mapping[str, str]:
    """The settings of a JSON or YAML file by their dotted names, `config.` before them.

    A file that is too long, or is not such text, or has no names in it, says nothing: what is
    needed of it and is missing is asked for by its name.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            return {}
        text = content.decode("utf-8-sig")
        value = json.loads(text) if path.suffix == ".json" else _yaml(text)
        return flat(_unwrapped(value), "config.") if isinstance(value, Mapping) else {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError, DataError):
        return {}


def _yaml(text: str) -> Any:
    indents = re.finditer(r"^[ \t\-?:]*", text, re.MULTILINE)
    deep = max(len(found[0]) for found in indents) > _MOST_INDENT
    if deep or sum(map(text.count, "[{")) > _MOST_BRACKETS:
        return None
    return yaml.load(text, _TEXTS)


def _unwrapped(settings: Mapping[Any, Any]) -> Mapping[str, Any]:
    """Settings with their values, where W&B keeps `{"lr": {"value": 0.1, "desc": None}}`."""

    def pairs() -> Iterator[tuple[str, Any]]:
        for name, value in settings.items():
            wrapped = isinstance(value, Mapping) and set(value) in ({"value"}, {"value", "desc"})
            yield str(name), value["value"] if wrapped else value

    return dict(pairs())
