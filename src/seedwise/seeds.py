"""All that is random in a run comes from here: counter-based generators, keyed by what they draw.

A draw does not depend on how many others were made before it. Two setups that visit the same
example in the same epoch see the same crop, and a layer's initial weights do not move when another
layer is added. Sharing this much is what lets paired runs need several times fewer seeds.

The generator is Philox-4x64-10 (Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2,
3"), as numpy has it: its key is (seed, stream) and its counter starts at (0, *what is drawn for*).
"""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy import ndarray

from seedwise.errors import ConfigError, UnknownName
from seedwise.shaped import Float64, UInt64

__all__ = ["STREAMS", "Listener", "Seed", "stream", "uniforms", "word"]

Listener = Callable[[Any, Mapping[str, Any]], None]
"""Takes what a training function logs: figures by name or None, and further ones."""

STREAMS = ("init", "order", "augment")
"""The random streams of a run. Their positions are part of the definition: never reorder."""

_WORD = 2**64


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Seed:
    """The seed of a run: one integer in [0, 2**63) for each random stream.

    Attributes:
        init: Seed of the initial weights.
        order: Seed of the order in which the training examples come.
        augment: Seed of the crops and mirrorings.
        listener: Takes what `log` is given; None outside a study. Two seeds are one whoever
            listens, and copies for other processes have no listener.

    A training function of the user's is given one. `int(seed)` and `everything()` are for code
    that has one seed; `numpy`, `python`, `torch` and `integer` keep the streams apart, so that
    setups share what they can and the variance can be told by source. `log` takes the figures of
    an epoch.

    >>> print(Seed.of(3), Seed.of((3, 3, 4)), Seed.parse("3/3/4") == Seed.of((3, 3, 4)))
    3 3/3/4 True
    """

    init: int
    order: int
    augment: int
    listener: Listener | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in STREAMS:
            value = _as_int(getattr(self, name))
            object.__setattr__(self, name, value)
            # 2**63 and not 2**64: the study file keeps signed integers.
            if type(value) is not int or not 0 <= value < 2**63:
                raise ConfigError(
                    f"a seed must be an integer from 0 to 2**63 - 1, got {value!r} for {name!r}"
                )

    @classmethod
    def of(cls, value: "int | np.integer[Any] | Sequence[int] | ndarray | Seed") -> Self:
        """The seed that a single integer s means, (s, s, s), or that three integers mean.

        Args:
            value: An integer in [0, 2**63), three of them for `init`, `order` and `augment`, or
                a seed, which is given back. Integers may be numpy's.

        Raises:
            ConfigError: It is none of these, or out of range.
        """
        if isinstance(value, cls):
            return value
        several = isinstance(value, tuple | list | ndarray) and np.ndim(value) > 0
        numbers: tuple[Any, ...] = tuple(value) if several else (value,) * 3  # type: ignore[arg-type]
        if len(numbers) != len(STREAMS):
            raise ConfigError(
                f"a seed must be one integer, or three for {', '.join(STREAMS)}; got {value!r}"
            )
        init, order, augment = numbers
        return cls(init=init, order=order, augment=augment)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The seed that `str()` wrote: "3", or "3/3/4" where the streams differ.

        Raises:
            ConfigError: The text is not a seed.
        """
        try:
            numbers = tuple(int(part) for part in text.split("/"))
        except ValueError:
            raise ConfigError(f"a seed is written 3 or 3/3/4, got {text!r}") from None
        return cls.of(numbers[0] if len(numbers) == 1 else numbers)  # type: ignore[arg-type]

    def __reduce__(self) -> tuple[Any, ...]:
        return Seed.of, ((self.init, self.order, self.augment),)

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __copy__(self) -> Self:
        return self

    def __str__(self) -> str:
        if self.init == self.order == self.augment:
            return str(self.init)
        return f"{self.init}/{self.order}/{self.augment}"

    def __int__(self) -> int:
        """The one integer of a seed whose streams are alike.

        Raises:
            ConfigError: The streams differ: code with a single seed cannot vary them apart.

        >>> int(Seed.of(3))
        3
        """
        if not self.init == self.order == self.augment:
            raise ConfigError(
                f"seed {self} has streams that differ, so it is no single integer; draw from "
                "seed.numpy('init'), seed.numpy('order') and so on, to vary them apart"
            )
        return self.init

    def numpy(self, name: str, *key: int) -> np.random.Generator:
        """A numpy generator of one stream.

        Args:
            name: One of `STREAMS`.
            key: What is drawn for, e.g. the epoch: up to three integers, 0 or more.

        Raises:
            ConfigError: The key cannot be used.
            UnknownName: No such stream.

        >>> float(Seed.of(3).numpy("order").random()) == float(stream(3, "order").random())
        True
        """
        _position(name)
        return stream(getattr(self, name), name, *key)

    def integer(self, name: str, *key: int) -> int:
        """An integer in [0, 2**32) of one stream, e.g. for scikit-learn's `random_state`.

        Args:
            name: As in `numpy`.
            key: As in `numpy`.
        """
        return int(self.numpy(name, *key).integers(2**32))

    def python(self, name: str, *key: int) -> random.Random:
        """A generator of Python's `random` of one stream.

        Args:
            name: As in `numpy`.
            key: As in `numpy`.
        """
        return random.Random(self.integer(name, *key))

    def torch(self, name: str, *key: int) -> Any:
        """A `torch.Generator`, on the CPU, of one stream; for samplers and initial weights.

        Args:
            name: As in `numpy`.
            key: As in `numpy`.
        """
        generator = import_module("torch").Generator()
        return generator.manual_seed(self.integer(name, *key))

    def log(self, figures: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Log the figures of an epoch, for curves and for whoever watches the study.

        `seed.log(epoch=3, accuracy=0.7, loss=0.4)`, or `seed.log({"val/acc": 0.7}, epoch=3)` for
        names that are no identifiers. Epochs come in their order; several calls for one epoch add
        up, and of one figure the last counts. A part of an epoch is a fraction: `epoch=step /
        steps`. Figures are kept with the run, of 200 epochs at most: of more, every second, fourth
        and so on, and the last. They decide nothing: a verdict rests on what the function returns.

        Outside a study, and in processes that a training starts, this does nothing.

        Args:
            figures: Numbers by name; NaN and infinity too.
            more: `epoch`, a number of 0 or more; and further figures.

        Raises:
            DataError: No epoch, one before the last, no figure, or one that is no number.
        """
        if self.listener is not None:
            self.listener(figures, more)

    def everything(self) -> None:
        """Seed the global generators of Python, numpy and torch (where it is installed).

        For code that takes its randomness from them. seedwise itself never does: this is the one
        place of the package that touches them, at the user's request.

        Raises:
            ConfigError: The streams of the seed differ; one global generator has but one.
        """
        number = int(self)
        random.seed(number)
        np.random.seed(number % 2**32)  # noqa: NPY002 - what the user's code draws from
        if find_spec("torch"):
            import_module("torch").manual_seed(number)


def _as_int(value: Any) -> Any:
    """An integer of whatever kind, numpy's too, as Python's; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        return value
    return int(value)


def word(text: str) -> int:
    """A 64-bit word that stands for a text in a counter: the first 8 bytes of its SHA-256.

    >>> hex(word("0.0.weight"))
    '0xad097fa615eff4b8'
    """
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def stream(seed: int, name: str, *key: int) -> np.random.Generator:
    """The generator of one thing that is random in a run.

    Args:
        seed: Seed of the stream, in [0, 2**64).
        name: One of `STREAMS`.
        key: What the draws belong to, e.g. epoch and example: up to three integers in [0, 2**64).

    Raises:
        ConfigError: `seed` or the key is out of range, or the key has more than three parts.
        UnknownName: `name` is not in `STREAMS`.

    >>> a, b = stream(3, "augment", 0, 17), stream(3, "augment", 0, 17)
    >>> bool(a.random() == b.random()), bool(a.random() == stream(3, "order", 0).random())
    (True, False)
    """
    counter = np.zeros(4, np.uint64)
    counter[1 : 1 + len(key)] = _checked(seed, key)
    philox = np.random.Philox(key=np.array([seed, _position(name)], np.uint64), counter=counter)
    return np.random.Generator(philox)


def uniforms(
    seed: int, name: str, *key: int | UInt64[ndarray, " rows"], draws: int, start: int = 0
) -> Float64[ndarray, "rows draws"]:
    """`draws` uniforms in [0, 1) of one generator a row, all at once, from number `start` on.

    Row i equals `stream(seed, name, *key_i).random(start + draws)[start:]` bit for bit, without
    making a generator a row, nor the numbers before `start`.

    Args:
        seed: As in `stream`.
        name: As in `stream`.
        key: As in `stream`, each part an integer or one integer a row; at least one is an array.
        draws: How many numbers a row.
        start: How many numbers to leave out first; a multiple of 4, which come at a time.

    Raises:
        ConfigError: As in `stream`.
        UnknownName: As in `stream`.
    """
    parts = np.broadcast_arrays(*(np.asarray(part, dtype=np.uint64) for part in key))
    _checked(seed, (0,) * len(parts))
    rows, blocks = parts[0].size, -(-draws // 4)
    counter = [np.zeros((rows, blocks), np.uint64) for _ in range(4)]
    first = start // 4 + 1  # numpy counts before it draws
    counter[0] += np.arange(first, first + blocks, dtype=np.uint64)
    for place, part in enumerate(parts, start=1):
        counter[place] += part[:, None]
    words = _philox(counter, seed, _position(name)).reshape(rows, blocks * 4)[:, :draws]
    return (words >> np.uint64(11)) * 2.0**-53


def _position(name: str) -> int:
    if name not in STREAMS:
        raise UnknownName("random stream", name, STREAMS)
    return STREAMS.index(name)


def _checked(seed: int, key: tuple[int, ...]) -> tuple[int, ...]:
    if not all(0 <= part < _WORD for part in (seed, *key)):
        raise ConfigError(f"seed and key must be from 0 to 2**64 - 1, got {seed} and {key}")
    if len(key) > 3:
        raise ConfigError(f"the key of a random stream has at most 3 parts, got {key}")
    return key


def _philox(
    counter: list[UInt64[ndarray, "rows blocks"]], *key: int
) -> UInt64[ndarray, "rows blocks 4"]:
    """Ten rounds of Philox-4x64 on arrays of counters."""
    x0, x1, x2, x3 = counter
    k0, k1 = key
    for _ in range(10):
        high0, low0 = _wide_product(0xD2E7470EE14C6C93, x0)
        high1, low1 = _wide_product(0xCA5A826395121157, x2)
        x0, x1, x2, x3 = high1 ^ x1 ^ np.uint64(k0), low1, high0 ^ x3 ^ np.uint64(k1), low0
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) % _WORD, (k1 + 0xBB67AE8584CAA73B) % _WORD
    return np.stack([x0, x1, x2, x3], axis=-1)


def _wide_product(
    a: int, b: UInt64[ndarray, "rows blocks"]
) -> tuple[UInt64[ndarray, "rows blocks"], UInt64[ndarray, "rows blocks"]]:
    """High and low words of the 128-bit products a * b, from products of 32-bit halves."""
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    a_low, a_high = np.uint64(a & 0xFFFFFFFF), np.uint64(a >> 32)
    b_low, b_high = b & mask, b >> half
    low_low, high_low = a_low * b_low, a_high * b_low
    middle = (low_low >> half) + (high_low & mask) + a_low * b_high
    high = a_high * b_high + (high_low >> half) + (middle >> half)
    return high, np.uint64(a) * b
