"""Comparisons as people meet them: values that say themselves."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal, Self, cast, final, get_args

from seedwise.comparison.compare import TargetValues
from seedwise.comparison.result import ComparisonValues
from seedwise.errors import ConfigError, MissingPackage
from seedwise.figures import html_table, in_points
from seedwise.seeds import Seed
from seedwise.words.numbers import amount
from seedwise.words.verdict import BY_NUMBER, target_sentence
from seedwise.words.view import Row, View, view

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "Claim",
    "Comparison",
    "TargetComparison",
    "as_json",
    "comparison_html",
    "hold",
    "plain_values",
]

Claim = Literal["better", "not worse", "equivalent", "not shown worse", "not shown different"]
"""Claims that a test may expect. The last two pass while undecided, the others only when shown."""


@final
class Comparison(ComparisonValues):
    """Setup B against setup A. Printed, it is the verdict; in a notebook, a table too."""

    __slots__ = ()

    @classmethod
    def of(cls, found: ComparisonValues) -> Self:
        """The same values, with words."""
        return cls(**{field.name: getattr(found, field.name) for field in fields(found)})

    @property
    def view(self) -> View:
        """All of it in words, in the order in which it is read."""
        return view(self)

    def __str__(self) -> str:
        """The verdict in words, and the cautions that change how it may be read."""
        return self.view.brief

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return comparison_html(self)

    def expect(self, claim: Claim) -> Self:
        """Fail with the verdict unless the claim holds: for tests, as `--fail-if` for commands.

        Args:
            claim: `better`, `equivalent`, or `not worse` (by the margin or more): undecided fails.
                `not shown worse` and `not shown different`: undecided passes. Where a stopping
                rule decides, its own verdict counts.

        Returns:
            This comparison.

        Raises:
            AssertionError: The claim does not hold; the message is the verdict in words.
            ConfigError: No such claim, or one that needs a margin and there is none.
        """
        __tracebackhide__ = True
        needs_margin = claim in ("not worse", "equivalent")
        if needs_margin and self.rule.margin is None:
            raise ConfigError(
                f"expect({claim!r}) needs a margin, the largest difference that does not matter; "
                'give one, e.g. compare("a", "b", margin=0.005)'
            )
        by = f" by {amount(self.margin_metric, self.rule.margin or 0)} or more"
        told = self.view
        hold(
            claim,
            self.outcome,
            not_worse=self.shown_not_worse,
            whom=f"{self.b.name} against {self.a.name}",
            by=by if claim == "not worse" else "",
            said=(
                *filter(None, (told.headline, told.grounds, told.basis, told.more_runs)),
                *(f"Note: {caution}" for caution in told.cautions),
            ),
        )
        return self

    def to_json(self) -> str:
        """All of it as JSON, as `seedwise compare --json` prints it."""
        return json.dumps(as_json(self), allow_nan=False)

    def to_frame(self) -> "DataFrame":
        """A pandas DataFrame with a row for each metric; accuracies are fractions.

        Columns: `metric`, `higher_is_better`, `decides`, `n_a`, `n_b`, `mean_a`, `sd_a` (ddof 1),
        `mean_b`, `sd_b`, `difference` (B - A), `low`, `high` (new seeds on these images),
        `new_low`, `new_high` (new images too; NaN where unknown), `p_value`, `r` (NaN unpaired).

        Raises:
            MissingPackage: pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError:
            raise MissingPackage("pandas", "Comparison.to_frame()", extra="pandas") from None
        nan = float("nan")
        return pandas.DataFrame(
            {
                "metric": name,
                "higher_is_better": each.higher_is_better,
                "decides": name == self.deciding.metric,
                "n_a": each.difference.n_a,
                "n_b": each.difference.n_b,
                "mean_a": each.sample_a.mean,
                "sd_a": each.sample_a.sd,
                "mean_b": each.sample_b.mean,
                "sd_b": each.sample_b.sd,
                "difference": each.difference.estimate,
                "low": each.difference.low,
                "high": each.difference.high,
                "new_low": each.new_images.low if each.new_images else nan,
                "new_high": each.new_images.high if each.new_images else nan,
                "p_value": each.difference.p_value,
                "r": each.correlation.estimate if each.correlation else nan,
            }
            for name, each in self.contrasts.items()
        )


@final
class TargetComparison(TargetValues):
    """A setup against a fixed number. Printed, it is the verdict."""

    __slots__ = ()

    @classmethod
    def of(cls, found: TargetValues) -> Self:
        """The same values, with words."""
        return cls(**{field.name: getattr(found, field.name) for field in fields(found)})

    def __str__(self) -> str:
        return target_sentence(self)

    def __repr__(self) -> str:
        return str(self)

    def expect(self, claim: Literal["better", "not shown worse", "not shown different"]) -> Self:
        """Fail with the verdict unless the claim holds, as `Comparison.expect` does.

        Raises:
            AssertionError: The claim does not hold; the message is the verdict in words.
            ConfigError: No such claim, or one that needs a margin, which a target has not.
        """
        __tracebackhide__ = True
        if claim in ("not worse", "equivalent"):
            raise ConfigError(f"expect({claim!r}) needs a margin, and against a target is none")
        hold(
            claim,
            self.outcome,
            not_worse=False,
            whom=f"{self.setup.name} against the target",
            by="",
            said=(str(self),),
        )
        return self

    def to_json(self) -> str:
        """All of it as JSON, as `seedwise compare --json` prints it."""
        return json.dumps(as_json(self), allow_nan=False)


def hold(
    claim: str, outcome: str, *, not_worse: bool, whom: str, by: str, said: tuple[str, ...]
) -> None:
    """Raise AssertionError with what is said unless the claim holds.

    Args:
        claim: One of `Claim`.
        outcome: The verdict.
        not_worse: Whether B is shown not to be worse by the margin.
        whom: Who is compared with whom.
        by: The margin, for a claim of it.
        said: The verdict in words, a line each.

    Raises:
        ConfigError: No such claim.
    """
    __tracebackhide__ = True
    holds = {
        "better": outcome == "better",
        "not worse": not_worse,
        "equivalent": outcome == "equivalent",
        "not shown worse": outcome != "worse",
        "not shown different": outcome not in ("better", "worse"),
    }
    if claim not in holds:
        known = ", ".join(map(repr, get_args(Claim)))
        raise ConfigError(f"expect() takes one of {known}; got {claim!r}")
    if not holds[claim]:
        raise AssertionError("\n".join((f"expected {whom}: {claim}{by}", *said)))


def comparison_html(found: ComparisonValues) -> str:
    """The verdict in a sentence, and B - A under each metric on these images and on new ones."""
    told = view(found)
    said = f"<p>{escape(told.brief)}</p>"
    if told.exploratory:
        said += f"<p>{escape(BY_NUMBER)} {escape(told.exploratory)}</p>"
    of = (f"on these {found.called}", f"on new {found.called}") if told.images else ("interval",)
    columns = ("metric", "runs", "difference", *of, "p")
    return said + html_table(told.title, columns, (_cells(row, told.images) for row in told.rows))


def _cells(row: Row, images: bool) -> tuple[str, ...]:
    unit = " (points)" if in_points(row.metric) else ""
    ends = (row.these, row.new) if images else (row.these,)
    return f"{row.metric}{unit}", row.runs, row.estimate, *ends, row.p


_SCHEMA = 1
"""Grows when a key changes its meaning or goes; new keys may come without."""


_NAMES = {
    "new_images": "new_examples",
    "these images": "these examples",
    "new images": "new examples",
}


def as_json(found: ComparisonValues | TargetValues) -> Mapping[str, Any]:
    """All of a comparison in values that JSON has: infinite and unknown numbers are null.

    Fields keep their names. `schema`, `outcome`, `sentence`, `basis`, `more_runs` and `cautions`
    stand before them, and `exploratory` where a stopping rule decides: what the same runs would
    say had their number been fixed.
    """
    if isinstance(found, TargetValues):
        said = {"sentence": target_sentence(found)}
    else:
        told = view(found)
        said = {
            "sentence": told.headline,
            "basis": told.basis,
            "more_runs": told.more_runs,
            "cautions": list(told.cautions),
            "exploratory": told.exploratory,
        }
    plain = plain_values(found)
    if found.called != "images":
        plain = _without_images(plain)
    return {"schema": _SCHEMA, "outcome": found.outcome, **said, **plain}


def _without_images(value: Any) -> Any:
    """The same for a study of other things: `new_examples` stands for `new_images`."""
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value).items()
        return {_NAMES.get(key, key): _without_images(each) for key, each in pairs}
    if isinstance(value, list):
        return [_without_images(each) for each in cast("list[Any]", value)]
    return _NAMES.get(value, value) if isinstance(value, str) else value


def plain_values(value: Any) -> Any:
    """A value with nothing but JSON's types in it."""
    if isinstance(value, Seed):
        return str(value)
    if is_dataclass(value):
        return {field.name: plain_values(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain_values(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain_values(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
