"""The page: its sections in order, in one file that needs nothing else and runs nothing of others.

Whatever comes from a study is data. Jinja escapes it in the text, and JSON in a script element has
no `<`. The content-security policy lets the page's own scripts and its style run, by their hashes,
and pictures that stand in the page; nothing is fetched, and nothing is evaluated: Vega's
expressions are interpreted.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from seedwise.comparison.study_runs import StudyRuns
from seedwise.data.splits import Split
from seedwise.report.charts.theme import THEMES
from seedwise.report.findings import Findings
from seedwise.report.page.origins import (
    copy_section,
    lost_section,
    origin_section,
    setups_section,
)
from seedwise.report.page.parts import Drawn, Section, Thumbnails
from seedwise.report.page.pictures import (
    classes_section,
    examples_section,
    images_section,
)
from seedwise.report.page.verdicts import (
    grounds_section,
    noise_section,
    runs_section,
    trace_section,
    verdict_section,
)

__all__ = ["report_html"]

_FOLDER = files("seedwise.report.page")


def report_html(
    study: StudyRuns,
    setups: Sequence[str] = (),
    *,
    metric: str | None = None,
    better: Mapping[str, str] | None = None,
    said: Mapping[str, Any] | None = None,
    thumbnails: Thumbnails | None = None,
) -> str:
    """The report of a study, as one HTML page.

    The same study gives the same page, to the byte.

    Args:
        study: The study, which is only read.
        setups: Their names, the baseline first; none for all that have a result.
        metric: The metric that decides; None for the one that was fixed, else the usual one.
        better: Which way metrics point, by name, beside what the study states.
        said: Margin, cost and saving, as far as they are said instead of what was fixed.
        thumbnails: Where pictures of images come from; None for none.

    Raises:
        UnknownName: No such setup or metric.
        StudyError: There is no result to show.
        ConfigError: The runs have several metrics, and none was chosen.
    """
    found = Findings(study, setups, metric=metric, better=better, said=said)
    sections = _sections(found, thumbnails)
    drawn = [block.chart for part in sections for block in part.blocks if isinstance(block, Drawn)]
    scripts = (_text("vega.js"), _text("report.js"))
    style = _style()
    return (
        _environment()
        .get_template("report.html")
        .render(
            title=f"{study.path.name}: seedwise report",
            study=study.path.name,
            dataset=_described(found),
            sections=sections,
            specs=_in_script([chart.page_spec() for chart in drawn]),
            place_of=drawn.index,
            scripts=scripts,
            style=style,
            policy=_policy(scripts, style),
            seedwise=study.facts.seedwise,
        )
    )


def _sections(found: Findings, thumbnails: Thumbnails | None) -> list[Section]:
    """The sections of a report that have something to show, in order."""
    sections = (
        verdict_section(found),
        runs_section(found),
        grounds_section(found),
        trace_section(found),
        noise_section(found),
        classes_section(found),
        images_section(found, thumbnails),
        examples_section(found),
        lost_section(found),
        setups_section(found),
        origin_section(found),
        copy_section(found),
    )
    return [section for section in sections if section is not None]


def _described(found: Findings) -> str:
    dataset = found.dataset
    if dataset is None:
        return ""
    return Split.from_json(dataset.split).after(dataset.name)


def _policy(scripts: Sequence[str], style: str) -> str:
    allowed = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _in_script(value: Any) -> str:
    """JSON that may stand in a script element, whatever its strings hold."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


@cache
def _style() -> str:
    """The style sheet, with the colours of the themes."""
    light, dark = (
        "".join(f"--{name}:{colour};" for name, colour in theme.items())
        for theme in (THEMES["light"], THEMES["dark"])
    )
    colours = (
        f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        + "".join(f".{n}{{color:var(--{n})}}" for n in THEMES["light"])
    )
    return colours + _text("report.css")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("seedwise.report.page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
