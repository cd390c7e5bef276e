"""Crossed seeds: every combination of a few seeds of each random stream."""

from collections.abc import Mapping
from itertools import product

from seedwise.errors import ConfigError, UnknownName
from seedwise.seeds import STREAMS, Seed

__all__ = ["crossed_seeds", "parse_sources"]

_MOST_RUNS = 100_000


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
