"""A chart as a value: a Vega-Lite specification, the same in words, and the same as a table."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from seedwise.errors import ConfigError, MissingPackage
from seedwise.outputs import write_output
from seedwise.report.charts.theme import PAGE, THEMES, painted, settings

__all__ = ["Chart", "Key", "Style", "Table", "number"]

Spec = Mapping[str, Any]

_SUFFIXES = (".json", ".pdf", ".png", ".svg")

Style = Literal["page", "paper"]
"""A chart for a page or a slide, or for one column of a paper."""
_VEGA_LITE = "v6.4"
"""As in page/vega.js."""

_WIDTH = 640
_PNG_SCALE = 2

_FIGURE = re.compile(r"[-+<>]?(\d|\[|inf|nan)|-?$")

_COLUMN = 3.3
"""Inches of a column of a paper."""

_LETTERS = 8 / 72
"""Inches of its letters: 8 points."""

_SCREEN, _PDF, _PRINT = 96, 72, 600
"""Pixels of an inch: of CSS, of PDF (which is drawn in points), and of a picture for print."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Figures as people read them.

    Attributes:
        columns: Titles; the first column names the row.
        rows: A cell for each column.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
        """A table from sequences."""
        return cls(columns=tuple(columns), rows=tuple(tuple(row) for row in rows))

    @property
    def numeric(self) -> tuple[bool, ...]:
        """True for each column, after the first, that has figures only: it is flush right.

        >>> Table.of(("setup", "metric", "sd"), [("a", "f1", "0.2 %"), ("b", "f1", "-")]).numeric
        (False, False, True)
        """
        places = range(1, len(self.columns))
        return False, *(all(_FIGURE.match(row[place]) for row in self.rows) for place in places)


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a legend.

    Attributes:
        colour: Name of its colour.
        name: What has it.
        form: `full` or `hollow` dots, or a `dashed` line.
    """

    colour: str
    name: str
    form: str = "full"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart:
    """A chart of a study.

    A notebook shows it as it is. `save` writes it as SVG or PNG, which needs the package
    vl-convert-python (`pip install 'seedwise[charts]'`), as PDF likewise, or as Vega-Lite JSON.

    Attributes:
        kind: One of `KINDS`.
        title: What it shows.
        says: What is to be seen in it, in a sentence or two: for those who can't see it.
        table: Its figures.
        legend: What colours or shapes distinguish; empty where nothing does.
        spec: Vega-Lite, with the names of colours (`theme`) instead of colours, and without width.
    """

    kind: str
    title: str
    says: str
    table: Table
    spec: Spec
    legend: tuple[Key, ...] = ()

    def vega_lite(self, *, theme: str = "light", style: Style = "page") -> dict[str, Any]:
        """The specification with everything in it, for whatever reads Vega-Lite.

        Args:
            theme: `light` or `dark`.
            style: `paper` is one column wide, 3.3 inches, in letters of 8 points, and has no
                title: the caption says it.
        """
        return self._whole(theme, style, _SCREEN)

    def _whole(self, theme: str, style: Style, inch: int) -> dict[str, Any]:
        """The specification for so many pixels an inch."""
        whole: dict[str, Any] = {
            "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
            "title": {"text": self.title, "anchor": "start"},
            "width": _WIDTH,
            "padding": 12,
            **self.spec,
            "config": settings(legend=True),
        }
        if style == "paper":
            del whole["title"]
            whole |= {
                "width": round(_COLUMN * inch),
                "padding": 1,
                "autosize": {"type": "fit-x", "contains": "padding"},
                "config": settings(legend=True, size=round(_LETTERS * inch)),
            }
        return painted(whole, THEMES[theme])

    def page_spec(self) -> dict[str, Any]:
        """The specification for a page whose style sheet has the colours."""
        whole = {**self.spec, "width": "container", "config": settings(legend=False)}
        return painted(whole, PAGE)

    def save(
        self, path: str | PathLike[str], *, theme: str = "light", style: Style = "page"
    ) -> Path:
        """Write the chart to a file.

        Args:
            path: Ends in .svg, .pdf, .png or .json (Vega-Lite).
            theme: `light` or `dark`.
            style: As in `vega_lite`.

        Raises:
            ConfigError: Another suffix.
            MissingPackage: vl-convert-python is not installed, and the file is a picture.
        """
        file = Path(path)
        spec = self.vega_lite(theme=theme, style=style)
        match file.suffix.lower():
            case ".json":
                write_output(file, json.dumps(spec, indent=1, allow_nan=False))
            case ".svg":
                write_output(file, _svg(spec))
            case ".png":
                scale = _PRINT / _SCREEN if style == "paper" else _PNG_SCALE
                picture = _converter().vegalite_to_png(spec, vl_version=_VEGA_LITE, scale=scale)
                write_output(file, picture)
            case ".pdf":
                spec = self._whole(theme, style, _PDF)
                write_output(file, _converter().vegalite_to_pdf(spec, vl_version=_VEGA_LITE))
            case other:
                raise ConfigError(
                    f"a chart is written as {', '.join(_SUFFIXES)}, got {other or file.name!r}"
                )
        return file

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> Mapping[str, Any]:  # the arguments are IPython's
        """The chart for a notebook: Vega-Lite, and a picture for what cannot show that."""
        bundle: dict[str, Any] = {
            "application/vnd.vegalite.v6+json": self.vega_lite(),
            "text/plain": f"{self.title}. {self.says}",
        }
        with suppress(MissingPackage):  # most notebooks draw Vega-Lite themselves
            bundle["image/svg+xml"] = _svg(self.vega_lite())
        return bundle


def number(value: float) -> float | None:
    """A number for a specification: six digits; None for what is not finite.

    >>> number(1 / 3), number(math.inf)
    (0.333333, None)
    """
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _svg(spec: Spec) -> str:
    return _converter().vegalite_to_svg(spec, vl_version=_VEGA_LITE)


def _converter() -> Any:
    try:
        import vl_convert
    except ModuleNotFoundError:
        raise MissingPackage("vl-convert-python", "a chart as a picture", extra="charts") from None
    return vl_convert
