"""A setup: every choice of a training except the seed and the machine, as one frozen value.

The defaults are the recipe `page-v1`: the fastai v1 training of the 2020 notebook "Reducing
variance". Two setups are the same when their canonical JSON is the same.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal, Self

from seedwise.errors import InvalidSetup, UnknownName

__all__ = [
    "ALLOWED",
    "AUTO",
    "BUILT_IN",
    "ELSEWHERE",
    "FIELDS",
    "KNOWN",
    "RECIPES",
    "Recipe",
    "Setup",
]

BUILT_IN = "seedwise.train:train"
"""The value of `Setup.train` that means the built-in training."""

ELSEWHERE = "elsewhere"
"""The value of `Setup.train` of runs that seedwise did not make: they were recorded or imported,
so it knows their setup by name only."""

AUTO = ("precision", "deterministic", "loader")
"""The fields that may say `auto`; what it means is decided once a study, and recorded there."""

KNOWN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "model": (
            "xresnet10-narrow",
            "xresnet18",
            "xresnet18-fastai-stem",
            "xresnet34",
            "xresnet50",
        ),
        "activation": ("gelu", "leaky_relu", "mish", "relu", "silu"),
        "optimizer": ("adam", "ranger", "sgd"),
        "decay_form": ("v1", "v2"),
        "schedule_form": ("v1", "v2"),
        "precision": ("auto", "bf16", "float32", "fp16"),
        "loader": ("auto", "cache", "dali"),
    }
)
"""Names that the built-in training knows, by field. The catalogues that hold what they name need
torch; names are checked here, without it, and a test keeps both lists equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Every choice of a training except the seed and the machine.

    Attributes:
        model: Name of the architecture.
        self_attention: Simple self-attention after the last block of the first stage.
        activation: Name of the activation function.
        optimizer: Name of the optimizer.
        lr: Learning rate of the flat phase.
        betas: Decay rates of the optimizer's moving averages (for sgd, the first is the momentum).
        eps: Term added to the optimizer's denominator.
        weight_decay: Decoupled decay: a step multiplies a weight by 1 - weight_decay * lr.
        decay_form: `v1` decays all but batch-norm weights and biases, before the optimizer's step;
            `v2` decays every parameter, inside the step, as the notebook's fastai2 cells did.
        schedule_form: `v1` or `v2`: how fastai 1 and fastai 2 count steps of flat-then-cosine.
        flat: Share of the steps at the full learning rate, in [0, 1); the rest falls as a cosine.
        epochs: Passes over the training examples.
        batch_size: Examples a step; the last incomplete batch of an epoch is dropped.
        size: Side of the square training image, in pixels. Validation resizes the shorter side to
            1.25 times this and crops the centre.
        pixels: Shorter side of the cached images, in pixels; None keeps the source's.
        area: Least and greatest area of a random crop, as shares of the image.
        aspect: Least and greatest width / height of a random crop.
        mirror: Probability of mirroring a training image left to right.
        label_smoothing: Share of the target spread evenly over all classes.
        precision: `float32`, `bf16`, `fp16` (with loss scaling), or `auto`, decided once a study.
        deterministic: Use only kernels that repeat bit for bit; `auto` is decided once a study.
        loader: Where training batches come from; `auto` is decided once a study.
        train: The function that trains, as "module:function"; `elsewhere` where seedwise does not.
            With any but the built-in training, the fields above say nothing.
        code: Digest of that function's code, as earlier versions kept it; None in new studies,
            which keep the code itself, and which runs it made.

    Raises:
        InvalidSetup: A value is of the wrong type or out of range; the message names the field.
        UnknownName: A name is in no catalogue.

    >>> Setup().but(lr=8e-3).lr, Setup() == Setup().but(lr=4e-3)
    (0.008, True)
    """

    model: str = "xresnet18"
    self_attention: bool = True
    activation: str = "mish"
    optimizer: str = "ranger"
    lr: float = 4e-3
    betas: tuple[float, float] = (0.95, 0.99)
    eps: float = 1e-6
    weight_decay: float = 1e-2
    decay_form: str = "v1"
    schedule_form: str = "v1"
    flat: float = 0.72
    epochs: int = 5
    batch_size: int = 64
    size: int = 128
    pixels: int | None = None
    area: tuple[float, float] = (0.35, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    mirror: float = 0.5
    label_smoothing: float = 0.1
    precision: str = "auto"
    deterministic: bool | Literal["auto"] = "auto"
    loader: str = "auto"
    train: str = BUILT_IN
    code: str | None = None

    def __post_init__(self) -> None:
        for name, (normal, allowed) in _RULES.items():
            given = getattr(self, name)
            try:
                value = normal(given)
            except (TypeError, ValueError, OverflowError):
                raise InvalidSetup(f"{name} must be {allowed}, got {given!r}") from None
            object.__setattr__(self, name, value)
        for name, known in KNOWN.items():
            if getattr(self, name) not in known:
                raise UnknownName(name, getattr(self, name), known)

    def but(self, **changes: Any) -> Self:
        """This setup with some fields changed.

        Args:
            changes: New values, by the names of their fields.

        Raises:
            InvalidSetup: A value cannot be used.
            UnknownName: There is no such field, or no such name for it.
        """
        for name in changes:
            if name not in FIELDS:
                raise UnknownName("setup field", name, FIELDS)
        return replace(self, **changes)

    def resolved(self, choices: Mapping[str, Any]) -> Self:
        """This setup with `choices` in place of every `auto`.

        >>> choices = {"precision": "bf16", "deterministic": True, "loader": "cache"}
        >>> Setup(precision="fp16").resolved(choices).precision
        'fp16'
        """
        return self.but(**{name: choices[name] for name in AUTO if getattr(self, name) == "auto"})

    def to_json(self) -> str:
        """The canonical form: every field (`code` only where it is known), sorted, no spaces."""
        values = asdict(self)
        if self.code is None:
            del values["code"]
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The setup that `to_json` wrote.

        >>> Setup.from_json(Setup().to_json()) == Setup()
        True
        """
        return cls(**json.loads(text))

    @property
    def key(self) -> str:
        """A short name of the canonical form: 12 hexadecimal digits of its SHA-256."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def differences(self, other: "Setup") -> dict[str, tuple[Any, Any]]:
        """The fields in which two setups differ, with this one's value and the other's.

        >>> Setup().differences(Setup(lr=8e-3))
        {'lr': (0.004, 0.008)}
        """
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in FIELDS}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A named setup with its source.

    Attributes:
        setup: The setup.
        source: Where it comes from.
    """

    setup: Setup
    source: str


_Check = tuple[Callable[[Any], Any], str]


def _number(low: float, high: float, *, open_low: bool = False, open_high: bool = False) -> Any:
    def normal(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError
        above = value > low if open_low else value >= low
        below = value < high if open_high else value <= high
        if not (above and below):  # False for NaN too
            raise ValueError
        return float(value)

    return normal


def _count(low: int) -> Any:
    def normal(value: Any) -> int:
        if type(value) is not int or value < low:
            raise ValueError
        return value

    return normal


def _optional(rule: Callable[[Any], Any]) -> Any:
    def normal(value: Any) -> Any:
        return None if value is None else rule(value)

    return normal


def _pair(each: Callable[[Any], float], *, rising: bool) -> Any:
    def normal(value: Any) -> tuple[float, float]:
        first, second = map(each, value)
        if rising and first > second:
            raise ValueError
        return first, second

    return normal


def _switch(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError
    return value


def _switch_or_auto(value: Any) -> Any:
    return value if value == "auto" else _switch(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _function(value: Any) -> str:
    module, _, function = _text(value).partition(":")
    names = (*module.split("."), *_UNREACHABLE.sub("local", function).split("."))
    if value != ELSEWHERE and not all(name.isidentifier() for name in names):
        raise ValueError
    return value


_UNREACHABLE = re.compile("<lambda>|<locals>")
"""Parts of the names of functions that no other process can load: a study has them in hand."""


_INFINITE = float("inf")
_ABOVE_0 = _number(0, _INFINITE, open_low=True, open_high=True)
_RULES: Mapping[str, _Check] = MappingProxyType(
    {
        "self_attention": (_switch, "true or false"),
        "lr": (_ABOVE_0, "a number above 0"),
        "betas": (
            _pair(_number(0, 1, open_high=True), rising=False),
            "two numbers, each from 0 to below 1",
        ),
        "eps": (_ABOVE_0, "a number above 0"),
        "weight_decay": (_number(0, _INFINITE, open_high=True), "a number, 0 or more"),
        "flat": (_number(0, 1, open_high=True), "a number from 0 to below 1"),
        "epochs": (_count(1), "a whole number, 1 or more"),
        "batch_size": (_count(2), "a whole number, 2 or more (batch norm needs two examples)"),
        "size": (_count(8), "a whole number of pixels, 8 or more"),
        "pixels": (_optional(_count(8)), "a whole number of pixels, 8 or more, or left out"),
        "area": (
            _pair(_number(0, 1, open_low=True), rising=True),
            "two shares above 0 and up to 1, the smaller first",
        ),
        "aspect": (_pair(_ABOVE_0, rising=True), "two numbers above 0, the smaller first"),
        "mirror": (_number(0, 1), "a probability from 0 to 1"),
        "label_smoothing": (_number(0, 1, open_high=True), "a number from 0 to below 1"),
        "deterministic": (_switch_or_auto, 'true, false or "auto"'),
        "train": (_function, '"module:function"'),
        "code": (_optional(_text), "text, or left out"),
        **{name: (_text, f"one of {', '.join(known)}") for name, known in KNOWN.items()},
    }
)

ALLOWED: Mapping[str, str] = MappingProxyType({name: said for name, (_, said) in _RULES.items()})
"""Values that each field of a setup may have, in words."""

FIELDS = tuple(field.name for field in fields(Setup))
"""The names of the fields of a setup, in the order of their declaration."""

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "page-v1": Recipe(
            setup=Setup(),
            source='R. Page, notebook "Reducing variance" (2020), fastai v1 cells',
        ),
        "page-v2": Recipe(
            setup=Setup(decay_form="v2", schedule_form="v2"),
            source='R. Page, notebook "Reducing variance" (2020), fastai2 cells as they ran',
        ),
    }
)
"""Named setups. A setup in study.toml may extend one of them."""
