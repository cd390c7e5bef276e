"""Numbers and tables as people read them. Accuracies are fractions, and in print points."""

import math
from collections.abc import Iterable
from html import escape

__all__ = [
    "count",
    "epoch_number",
    "figure",
    "html_table",
    "in_points",
    "interval",
    "percent",
    "places",
    "printable",
    "signed",
    "spread",
]


def in_points(metric: str) -> bool:
    """True if a metric is a fraction that is printed as points of a hundred."""
    from seedwise.stats.catalog import CATALOG  # numpy with it, which no help and no count needs

    known = CATALOG.get(metric.partition(":")[0])
    return known is not None and known.percent


def places(metric: str, low: float, high: float) -> int | None:
    """Decimals that an interval leaves to a number: two digits of half its width.

    Points of a hundred keep one decimal at least, and get no third one before hundredths of a
    point say nothing. An end that would be rounded to 0 gets one more, as 0 is what an interval
    is held against. None where the interval says nothing.

    >>> places("accuracy", 0.7105, 0.7150), places("accuracy", -0.32, 0.15), places("wer", 1, 9)
    (2, 1, 1)
    >>> places("accuracy", 0.8312, 0.8316), places("accuracy", 0.8312, 0.83125)
    (2, 4)
    >>> places("accuracy", -0.0204, 0.0001), places("accuracy", -0.0204, 0.0101)
    (2, 1)
    >>> places("accuracy", 0.5, math.inf), places("loss", 0.3, 0.3)
    (None, None)
    """
    points = in_points(metric)
    half = (high - low) / 2 * (100 if points else 1)
    if not 1e-5 < half < 1e6:
        return None
    digits = 1 - math.floor(math.log10(half))
    digits = min(max(digits, 1), 2 if half > 0.01 else digits) if points else max(digits, 0)
    ends = [(100 if points else 1) * end for end in (low, high)]
    return digits + any(end and not round(end, digits) for end in ends)


def figure(metric: str, value: float, digits: int | None = None) -> str:
    """The value of a metric, with as many decimals as `places` says.

    >>> figure("accuracy", 0.83516), figure("cross_entropy", 0.51239), figure("accuracy", math.nan)
    ('83.52 %', '0.5124', '-')
    """
    unit = " %" if in_points(metric) and not math.isnan(value) else ""
    return f"{_number(metric, value, digits=digits)}{unit}"


def spread(metric: str, value: float, digits: int | None = None) -> str:
    """A difference or standard deviation of a metric, or a value whose unit stands elsewhere.

    >>> spread("accuracy", 0.00351), spread("accuracy", -1e-9), spread("accuracy", math.inf)
    ('0.35', '0.00', 'inf')
    """
    return _number(metric, value, digits=digits)


def signed(metric: str, value: float, digits: int | None = None) -> str:
    """A difference of a metric, with its sign.

    >>> signed("accuracy", 0.00351), signed("accuracy", -0.01), signed("cross_entropy", 0.0)
    ('+0.35', '-1.00', '+0')
    >>> signed("wer", 0.011186, places("wer", 0.007009, 0.01537))
    '+0.0112'
    """
    return _number(metric, value, "+", digits=digits)


def interval(metric: str, low: float, high: float) -> str:
    """The interval of a difference.

    >>> interval("accuracy", 0.004, 0.016), interval("cross_entropy", -math.inf, math.inf)
    ('[+0.40, +1.60]', '[-inf, +inf]')
    """
    digits = places(metric, low, high)
    return f"[{signed(metric, low, digits)}, {signed(metric, high, digits)}]"


def percent(share: float) -> str:
    """A rate or a confidence, as short as it can be said.

    >>> percent(0.95), percent(0.05 / 3)
    ('95 %', '1.67 %')
    """
    return f"{100 * share:.3g} %"


def count(number: int, what: str) -> str:
    """So many of something.

    >>> count(1, "run"), count(1000, "run")
    ('1 run', '1,000 runs')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def epoch_number(epoch: float) -> str:
    """The number of an epoch; of a part of one with two decimals.

    >>> epoch_number(3), epoch_number(3.0), epoch_number(2.25), epoch_number(10_000_000.0)
    ('3', '3', '2.25', '10000000')
    """
    return f"{epoch:.0f}" if float(epoch).is_integer() else f"{epoch:.2f}"


def _number(metric: str, value: float, sign: str = "", digits: int | None = None) -> str:
    if math.isnan(value):
        return "-"
    if in_points(metric):
        value, digits = 100 * value, 2 if digits is None else digits
    if digits is None or math.isinf(value):
        return f"{value + 0.0:{sign}.4g}"  # + 0.0 makes 0 of -0
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"


def html_table(caption: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A plain HTML table, as notebooks show one; all text is escaped.

    >>> html_table("", ["n"], [["<1>"]])
    '<table><thead><tr><th>n</th></tr></thead><tbody><tr><td>&lt;1&gt;</td></tr></tbody></table>'
    """
    top = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table>{top}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def printable(text: str) -> str:
    r"""Text without what would command a terminal: control characters and bidirectional marks.

    Names and errors come from study files, which come from anywhere. Lines and tabs stay.

    >>> printable("\x1b[2Jmish\u202e\n")
    '\\x1b[2Jmish\\u202e\n'
    """
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in text
    )
