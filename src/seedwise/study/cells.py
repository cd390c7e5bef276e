"""What the cells of a table hold: numbers as people write them, and the unit of a column."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from seedwise.errors import DataError
from seedwise.figures import in_points
from seedwise.stats.directions import is_share, mixed_units

__all__ = ["Number", "decimal_commas", "in_one_unit", "number_in"]

_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_POINTS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+")
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number of a table.

    Attributes:
        value: As it stands there: 91.2 of "91.2 %".
        percent: Whether it stands there with a per cent sign.
        where: Its place, in words.
    """

    value: float
    percent: bool
    where: str


def decimal_commas(cells: Iterable[str]) -> bool:
    """Whether some numbers can only be meant with a decimal comma: `0,91` and not `1,234`."""
    return any(
        _COMMA.fullmatch(cell) and not _THOUSANDS.fullmatch(cell) for cell in map(_bare, cells)
    )


def number_in(cell: str, *, commas: bool = False, where: str = "") -> Number | None:
    """The number that a cell holds, NaN and Infinity among them; None if it is none.

    >>> number_in("91.2 %").value, number_in("0,91", commas=True).value, number_in("OOM")
    (91.2, 0.91, None)
    """
    text = _bare(cell)
    if commas and _POINTS.fullmatch(text):
        text = text.replace(".", "")
    if commas and _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    elif not commas and _THOUSANDS.fullmatch(text) and "." in text:
        text = text.replace(",", "")
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        return None
    return None if "_" in text else Number(value=value, percent="%" in cell, where=where)


def in_one_unit(metric: str, numbers: Sequence[Number]) -> tuple[Mapping[str, float], str]:
    """The values of a metric by their places, per cent as fractions, and what was made of them.

    Raises:
        DataError: Some are in per cent and some are not; both places are named.
    """
    finite = [each for each in numbers if math.isfinite(each.value)]
    signed = next((each for each in finite if each.percent), None)
    plain = next((each for each in finite if not each.percent), None)
    if signed and plain:
        raise DataError(
            f"{metric} is in two units: {plain.value:g} ({plain.where}) without a per cent sign, "
            f"{signed.value:g} % ({signed.where}) with one; write all in one way"
        )
    apart = mixed_units([each.value for each in finite]) if is_share(metric) else None
    if apart and not signed:
        small, large = (finite[place] for place in apart)
        raise DataError(
            f"{metric} is in two units: {small.value:g} ({small.where}) looks like a fraction, "
            f"{large.value:g} ({large.where}) like per cent; write all in one way"
        )
    points = bool(signed) or (
        in_points(metric)
        and any(each.value > 1 + _ROUNDING for each in finite)
        and all(0 <= each.value <= 100 for each in finite)
    )
    scale = 100 if points else 1
    said = f"{metric}: per cent, kept as fractions" if points else ""
    return {each.where: each.value / scale for each in numbers}, said


def _bare(cell: str) -> str:
    return cell.replace("\N{MINUS SIGN}", "-").replace("%", "").strip()
