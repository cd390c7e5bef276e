"""The seeds that a number, a list or a text means."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

import numpy as np

from seedwise.errors import ConfigError, UnknownName
from seedwise.seeds import STREAMS, Seed

__all__ = ["SeedsLike", "as_seeds", "crossed_seeds", "parse_seeds", "parse_sources"]

SeedsLike = int | Iterable[int | tuple[int, int, int] | Seed]

_MOST_SEEDS = _MOST_RUNS = 100_000


def as_seeds(seeds: SeedsLike) -> tuple[Seed, ...]:
    """Seeds 0 to n - 1 for a number n, or the seeds that are listed.

    Raises:
        ConfigError: There is none, one comes twice, or one is not a seed.

    >>> [str(seed) for seed in as_seeds([4, (1, 2, 3)])]
    ['4', '1/2/3']
    """
    # numpy's integers and arrays too; of an array of one number `index` would make that number.
    given = range(int(seeds)) if isinstance(seeds, int | np.integer) else seeds
    if not isinstance(given, Iterable):
        raise ConfigError(f"seeds must be a number or a list of seeds, got {seeds!r}")
    listed = dict[Seed, None]()
    for seed in map(Seed.of, given):
        if seed in listed:
            raise ConfigError(f"seed {seed} is listed twice; name each seed once")
        listed[seed] = None
        if len(listed) > _MOST_SEEDS:
            raise ConfigError(f"at most {_MOST_SEEDS:,} seeds make a study; name fewer")
    if not listed:
        raise ConfigError(f"at least one seed is needed, got {seeds!r}")
    return tuple(listed)


def parse_seeds(text: str) -> tuple[Seed, ...]:
    """The seeds that a text means.

    A number n alone means seeds 0 to n - 1, as it does everywhere; `4:8` means 4 to 7; a list has
    commas (`7,` is a list of one), and a seed whose streams differ is init/order/augment.

    Raises:
        ConfigError: It means no seeds, too many, or one of them twice.

    >>> [str(seed) for seed in parse_seeds("3")]
    ['0', '1', '2']
    >>> [str(seed) for seed in parse_seeds("0:2,7,1/2/3")]
    ['0', '1', '7', '1/2/3']
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1 and parts[0].isdecimal():
        parts = [f"0:{parts[0]}"]
    elif len(parts) > 1 and not parts[-1]:
        del parts[-1]
    return as_seeds(seed for part in parts for seed in _range(part, text))


def _range(part: str, text: str) -> Iterator[Seed]:
    """The seeds of one part of a list."""
    if ":" not in part:
        yield Seed.parse(part)
        return
    match = re.fullmatch(r"(\d{1,19}):(\d{1,19})", part)
    low, high = map(int, match.groups()) if match else (0, 0)
    if not 0 < high - low <= _MOST_SEEDS:
        raise ConfigError(
            f"seeds are written 10, 0:10 or 1,2,7, at most {_MOST_SEEDS:,} of them; got {text!r}"
        )
    yield from map(Seed.of, range(low, high))


def crossed_seeds(levels: Mapping[str, int]) -> tuple[Seed, ...]:
    """Every combination of the seeds 0 to n - 1 of each stream named; the others keep seed 0.

    Args:
        levels: The number n of seeds for each stream that is to vary, 2 or more.

    Raises:
        ConfigError: No stream, fewer than two seeds of one, or too many runs.
        UnknownName: No such stream.

    >>> [str(seed) for seed in crossed_seeds({"init": 2, "order": 2})]
    ['0', '0/1/0', '1/0/0', '1/1/0']
    """
    for stream, count in levels.items():
        if stream not in STREAMS:
            raise UnknownName("random stream", stream, STREAMS)
        if count < 2:
            raise ConfigError(f"a source needs at least 2 seeds, got {stream}={count}")
    if not levels:
        raise ConfigError(f"name at least one source of {', '.join(STREAMS)}")
    runs = 1
    for count in levels.values():
        runs *= count
    if runs > _MOST_RUNS:
        raise ConfigError(f"crossed seeds of {runs:,} runs are too many; at most {_MOST_RUNS:,}")
    grid = product(*(range(levels.get(stream, 1)) for stream in STREAMS))
    return tuple(Seed.of(numbers) for numbers in grid)  # type: ignore[arg-type]


def parse_sources(text: str) -> tuple[Seed, ...]:
    """The crossed seeds that a text means: streams, and after `=` how many seeds of each.

    A number holds for all streams before it that have none of their own.

    Raises:
        ConfigError: It cannot be read so.
        UnknownName: No such stream.

    >>> len(parse_sources("init,order,augment=4")), len(parse_sources("init=5,order=3"))
    (64, 15)
    """
    levels: dict[str, int] = {}
    waiting: list[str] = []
    for part in text.split(","):
        stream, sign, number = (piece.strip() for piece in part.partition("="))
        waiting.append(stream)
        if stream in levels or waiting.count(stream) > 1:
            raise ConfigError(f"the source {stream!r} is named twice in {text!r}")
        if not sign:
            continue
        if not number.isdecimal():
            raise ConfigError(f"{_FORM}; got {text!r}")
        levels |= dict.fromkeys(waiting, int(number[:9]))
        waiting = []
    if waiting:
        raise ConfigError(f"{_FORM}; got {text!r}, with no number for {waiting[-1]!r}")
    return crossed_seeds(levels)


_FORM = "sources are written init,order,augment=4 or init=5,order=3: streams, and seeds of each"
