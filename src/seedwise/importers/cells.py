"""Cells of a table: numbers as people write them, and the unit of a column."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seedwise.errors import DataError
from seedwise.figures import in_points
from seedwise.stats.directions import is_share, mixed_units

__all__ = ["Number", "decimal_commas", "in_one_unit", "is_number", "number_in", "with_points"]

_PLAIN = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
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
    """True if some numbers can only be meant with a decimal comma: `0,91` and not `1,234`."""
    return any(
        _COMMA.fullmatch(text) and not _THOUSANDS.fullmatch(text)
        for cell in cells
        if "," in cell and (text := _bare(cell))
    )


def with_points(cell: str) -> str:
    """A cell of a table with decimal commas, as others write it.

    >>> with_points("0,91"), with_points("1.234,5"), with_points("91,2 %"), with_points("a,b")
    ('0.91', '1234.5', '91.2 %', 'a,b')
    """
    text = _bare(cell)
    if _POINTS.fullmatch(text):
        text = text.replace(".", "")
    elif not _COMMA.fullmatch(text):
        return cell
    return text.replace(",", ".") + (" %" if "%" in cell else "")


def number_in(cell: str, *, where: str = "") -> Number | None:
    """The number that a cell holds, NaN and Infinity among them; None if it is none.

    >>> number_in("91.2 %").value, number_in("1,234.5").value, number_in("OOM")
    (91.2, 1234.5, None)
    """
    if _PLAIN.fullmatch(cell):  # as nearly all are, and three times as fast
        return Number(value=float(cell), percent=False, where=where)
    text = _bare(cell)
    if "," in text and "." in text and _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        return None
    return None if "_" in text else Number(value=value, percent="%" in cell, where=where)


def is_number(cell: str) -> bool:
    """True if a cell holds a number."""
    return _PLAIN.fullmatch(cell) is not None or number_in(cell) is not None


def in_one_unit(metric: str, numbers: Sequence[Number]) -> tuple[list[float], str]:
    """The values of a metric in their order, per cent as fractions, and what was made of them.

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
    return [each.value / scale for each in numbers], said


def _bare(cell: str) -> str:
    return cell.replace("\N{MINUS SIGN}", "-").replace("%", "").strip()
