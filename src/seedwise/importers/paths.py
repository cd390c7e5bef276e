"""Setup and seed from where a log lies: by a pattern that a person gives, or as its names say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seedwise.errors import ConfigError

__all__ = ["PATH_SEED", "PATH_SETUP", "Layout", "from_names"]

PATH_SETUP, PATH_SEED = "path.setup", "path.seed"
"""Columns of what the names of folders and files say by themselves."""

_FIELD = re.compile(r"\{([^{}]*)\}|(\*\*/?|\*)")
_ENDING = re.compile(r"\.[A-Za-z]\w{0,11}$")
_NAME = re.compile(r"[A-Za-z_]\w*")
_SEED = re.compile(
    r"(?:^|(?<=[/_.,\-= ]))(?:random_?)?seeds?[_\-= ]?(\d{1,19})(?![^/_.,\- ])", re.I
)
_BOOKKEEPING = re.compile(
    r"(version|run|trial|try|attempt|rep|repeat)[_-]?\d+|checkpoint-\d+|\d{4}[-_]?\d\d[-_]?\d\d.*|\d\d[-_:]\d\d[-_:]\d\d.*|[0-9a-f]{12,}"
    r"|lightning_logs|logs?|runs?|results?|outputs?|metrics|progress|monitor|history|files"
    r"|train(ing)?|tests?|eval(uation)?|val(id|idation)?",
    re.I,
)
"""Folders that loggers make of their own: they tell no setups apart."""

_MOST = 500


@dataclass(frozen=True, slots=True)
class Layout:
    """A pattern of paths: `{setup}/seed{seed}`.

    `{name}` is a column of that name, `*` any text within a part of a path, `**` any parts. The
    pattern fits a path from its beginning, and what lies deeper is free.

    >>> Layout("{setup}/seed{seed}").columns("adam/seed3/version_0/metrics.csv")
    {'setup': 'adam', 'seed': '3'}
    >>> Layout("{setup}/seed{seed}").columns("adam/run3/metrics.csv") is None
    True
    """

    text: str

    def __post_init__(self) -> None:
        names = self.names
        if not names or len(self.text) > _MOST:
            raise ConfigError(
                '--layout is a pattern of paths such as "{setup}/seed{seed}", with names of '
                f"columns in braces; got {self.text[:_MOST]!r}"
            )
        for name in names:
            if not _NAME.fullmatch(name) or names.count(name) > 1:
                raise ConfigError(
                    f"--layout {self.text!r}: each name in braces is a word, and stands there "
                    f"once; got {name!r}"
                )
        if re.search(r"[{}]", _FIELD.sub("", self.text)):
            raise ConfigError(f"--layout {self.text!r}: a brace is left over")
        if re.search(r"\}\{|\*\{|\}\*|\*\*\*", self.text):
            raise ConfigError(
                f"--layout {self.text!r}: between two names or wildcards there must be some text"
            )

    @property
    def names(self) -> list[str]:
        """The columns that it gives."""
        return [found[1] for found in _FIELD.finditer(self.text) if found[1] is not None]

    def may_be(self, name: str) -> bool:
        """True if a file of this name may be meant: not if its last part names another file."""
        last = self.text.rpartition("/")[2]
        ending = "." in _FIELD.sub("", last).strip(".")
        texts = map(re.escape, _FIELD.sub("\0", last).split("\0"))
        return not ending or re.fullmatch("[^/]*".join(texts), name) is not None

    def columns(self, *paths: str) -> Mapping[str, str] | None:
        """The cells that it reads off the first path that it fits; None if it fits none."""
        pattern = self._pattern()
        for path in paths:
            found = pattern.match(path)
            if found and all(found.groups()):
                return {name: text.strip() for name, text in found.groupdict().items()}
        return None

    def _pattern(self) -> re.Pattern[str]:
        text, parts, end = self.text.strip("/").removeprefix("./"), list[str](), 0
        for found in _FIELD.finditer(text):
            parts.append(re.escape(text[end : found.start()]))
            wild = {"*": "[^/]*", "**/": "(?:[^/]+/)*?", "**": ".*?"}
            # Shortest first, so that what follows a name begins where it first can.
            parts.append(wild[found[2]] if found[2] else f"(?P<{found[1]}>[^/]+?)")
            end = found.end()
        # A file may be named without its ending.
        return re.compile("".join([*parts, re.escape(text[end:]), r"(?=/|$|\.\w+$)"]))


def from_names(paths: Sequence[str], *, tables: bool = False) -> list[Mapping[str, str]]:
    """Setup and seed as paths tell them by themselves, a mapping each.

    A seed is what follows the word `seed`, where it does so in every path. A setup is what else
    tells the paths apart, without what loggers number on their own account.

    Args:
        paths: The paths of logs.
        tables: Each log lists runs with seeds of their own, so that its name is that of a setup.

    >>> from_names(["adam_lr0.1/seed0/log.csv", "sgd/seed1/log.csv"])[0]
    {'path.setup': 'adam_lr0.1', 'path.seed': '0'}
    >>> from_names(["a/x1.csv", "a/x2.csv", "b/x3.csv"])[1]
    {'path.setup': 'a'}
    """
    split = [_ENDING.sub("", path).split("/") for path in paths]
    seeds = [_SEED.findall("/".join(parts)) for parts in split]
    if not all(seeds):
        return [_path_setup(setup) for setup in _setups(split, unique=tables)]
    folders = [parts[:-1] for parts in split]
    if all(_SEED.search("/".join(parts)) for parts in folders):
        by_folder = _setups([[*map(_without_seed, parts)] for parts in folders], unique=True)
        if len(set(by_folder)) > 1:  # then files beside one another are of one run
            return [
                _path_setup(setup) | {PATH_SEED: seed[-1]}
                for setup, seed in zip(by_folder, seeds, strict=True)
            ]
    setups = _setups([[*map(_without_seed, parts)] for parts in split], unique=True)
    if len(set(setups)) == len(paths) > 2 and len({seed[-1] for seed in seeds}) > 1:
        setups = [""] * len(paths)  # what tells them apart numbers the runs
    return [
        _path_setup(setup) | {PATH_SEED: seed[-1]}
        for setup, seed in zip(setups, seeds, strict=True)
    ]


def _path_setup(setup: str) -> dict[str, str]:
    return {PATH_SETUP: setup} if setup else {}


def _without_seed(part: str) -> str:
    return re.sub(r"([_,\- ])[_.,\- ]+", r"\1", _SEED.sub("", part).strip("_.,-= "))


def _setups(split: Sequence[Sequence[str]], *, unique: bool) -> list[str]:
    """Parts that tell paths apart; if not `unique`, without parts that no two share."""
    deepest = max(map(len, split), default=0)
    rows = [[*parts, *[""] * (deepest - len(parts))] for parts in split]
    kept = list[int]()
    for place in range(deepest):
        values = [row[place] for row in rows if not _BOOKKEEPING.fullmatch(row[place])]
        distinct = len(set(values))
        if distinct > 1 and (unique or distinct < len(values)):
            kept.append(place)
    return [
        "/".join(row[p] for p in kept if row[p] and not _BOOKKEEPING.fullmatch(row[p]))
        for row in rows
    ]
