"""The studies behind docs/study: which setups, on which split, with which seeds, and what for.

All vary one factor at a time from `page-v1`, the recipe of the 2020 notebook. Seeds are shared:
seed 3 means the same order, crops and initial weights in every study here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from seedwise import Setup
from seedwise.comparison import Stop

__all__ = ["NULLS", "STUDIES", "VERDICT", "Nulls", "Part", "Study", "reduced"]

BASE = Setup()
"""page-v1: fastai v1's cells of the notebook, at 128 pixels for 5 epochs."""

CHANGES: Mapping[str, Setup] = MappingProxyType(
    {
        "lr-1.3": BASE.but(lr=BASE.lr * 1.3),
        "relu": BASE.but(activation="relu"),
        "no-attention": BASE.but(self_attention=False),
        "fastai-stem": BASE.but(model="xresnet18-fastai-stem"),
        "no-smoothing": BASE.but(label_smoothing=0.0),
    }
)
"""A small change (learning rate), a middling one (activation), two large ones (architecture), and
one of the loss alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some setups of a study with their seeds.

    Attributes:
        setups: By name.
        seeds: 0 to n - 1.
        alone: Made one after another, for what packing does to a run.
    """

    setups: Mapping[str, Setup]
    seeds: int
    alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study file and why it is there.

    Attributes:
        name: Of the file, without .db.
        question: What it answers.
        split: Which images validate.
        parts: What is trained, in this order.
        stop: When to stop, instead of the parts' seeds; with one part.
    """

    name: str
    question: str
    parts: tuple[Part, ...]
    split: str = "page"
    stop: Stop | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nulls:
    """Twins under the default stopping rule, on disjoint seeds.

    Attributes:
        name: Of the study file.
        setup: What is compared with its twin (learning rate x 1.0001).
        stop: The rule of each verdict.
        verdicts: How many.
    """

    name: str = "nulls"
    setup: Setup = field(
        default_factory=lambda: BASE.but(model="xresnet10-narrow", size=32, pixels=40, epochs=4)
    )
    stop: Stop = field(default_factory=lambda: Stop(difference=0.005, max_runs=40))
    verdicts: int = 200


V2 = BASE.but(decay_form="v2", schedule_form="v2")

STUDIES: tuple[Study, ...] = (
    Study(
        name="five-epochs",
        question="the notebook's table, what makes v2 differ, and pairs of all kinds of changes",
        parts=(
            Part(setups={"page-v1": BASE, "page-v2": V2, "relu": CHANGES["relu"]}, seeds=20),
            Part(setups={"twin": BASE.but(lr=BASE.lr * 1.0001), **CHANGES}, seeds=12),
            Part(
                setups={
                    "decay-v2": BASE.but(decay_form="v2"),
                    "schedule-v2": BASE.but(schedule_form="v2"),
                },
                seeds=12,
            ),
        ),
    ),
    Study(
        name="small-split",
        question="the same table on the split of 500, and what a larger split is worth",
        split="v1",
        parts=(Part(setups={"page-v1": BASE, "page-v2": V2, "relu": CHANGES["relu"]}, seeds=20),),
    ),
    Study(
        name="precision",
        question="precision and kernels: means, and what is left of the pairs",
        parts=(
            Part(
                setups={
                    f"{name}{suffix}": setup.but(**change)
                    for name, change in {
                        "fp16": {"precision": "fp16"},
                        "free": {"deterministic": False},
                        "float32": {"precision": "float32"},
                    }.items()
                    for suffix, setup in {"": BASE, "-relu": CHANGES["relu"]}.items()
                },
                seeds=10,
            ),
        ),
    ),
    Study(
        name="again",
        question="the same runs once more, side by side",
        parts=(Part(setups={"page-v1": BASE, "free": BASE.but(deterministic=False)}, seeds=5),),
    ),
    Study(
        name="alone",
        question="the same runs once more, one after another",
        parts=(
            Part(
                setups={"page-v1": BASE, "free": BASE.but(deterministic=False)},
                seeds=5,
                alone=True,
            ),
        ),
    ),
    Study(
        name="twenty-epochs",
        question="does the order of setups under the short recipe hold for 20 epochs?",
        parts=(
            Part(
                setups={
                    name: setup.but(epochs=20)
                    for name, setup in {"page-v1": BASE, **CHANGES}.items()
                },
                seeds=5,
            ),
        ),
    ),
)

VERDICT = Study(
    name="verdict",
    question="seconds to a verdict on a difference of about half a point, end to end",
    parts=(Part(setups={"page-v1": BASE, "relu": CHANGES["relu"]}, seeds=0),),
    stop=Stop(difference=0.005, max_runs=40),
)

NULLS = Nulls()


def reduced(setup: Setup) -> Setup | None:
    """The same change at a size for a CPU, some 20 seconds a run; None where it has none."""
    if setup.model == "xresnet18-fastai-stem":
        return None
    epochs = setup.epochs * 4 // 5
    return setup.but(model="xresnet10-narrow", size=32, pixels=40, epochs=epochs)
