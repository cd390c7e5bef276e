"""Colours of charts by name, on a light page, on a dark one and in CSS.

The colours of setups are those of Okabe and Ito (2008), which people with any of the common colour
deficiencies tell apart; the darkest and the lightest are moved so that each has a contrast of 3:1
or more with the page.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from seedwise.figures import printable

__all__ = ["PAGE", "ROLES", "SETUPS", "THEMES", "painted", "role", "settings"]

_LIGHT = {
    "ink": "#1c1e21",
    "muted": "#5c6370",
    "line": "#d7dade",
    "paper": "#ffffff",
    "margin": "#8a8f98",
    "setup-0": "#0068a8",
    "setup-1": "#c75000",
    "setup-2": "#00795a",
    "setup-3": "#a84f86",
    "setup-4": "#8f6a00",
    "setup-5": "#2f7fb0",
}
_DARK = {
    "ink": "#e6e8eb",
    "muted": "#a0a7b2",
    "line": "#3a3f47",
    "paper": "#16181c",
    "margin": "#7d838d",
    "setup-0": "#5fb6ec",
    "setup-1": "#ff9450",
    "setup-2": "#3ec79b",
    "setup-3": "#e39ac4",
    "setup-4": "#e6b33e",
    "setup-5": "#9ccdf0",
}
ROLES = tuple(_LIGHT)
SETUPS = sum(name.startswith("setup-") for name in ROLES)
THEMES: Mapping[str, Mapping[str, str]] = MappingProxyType({"light": _LIGHT, "dark": _DARK})
PAGE: Mapping[str, str] = MappingProxyType({name: f"var(--{name})" for name in ROLES})


def role(place: int) -> str:
    """The colour of the setup at a place: the baseline has 0. Beyond six, they come round."""
    return f"@setup-{place % SETUPS}"


_PAINTED = frozenset(
    [
        "background",
        "color",
        "colour",
        "domainColor",
        "fill",
        "gridColor",
        "ink",
        "labelColor",
        "range",
        "stroke",
        "tickColor",
        "titleColor",
    ]
)
"""Keys that hold names of colours; elsewhere a text is a text, also of a setup called @ink."""


_PROPERTIES = frozenset(
    (
        *("constructor", "toString", "toLocaleString", "valueOf", "hasOwnProperty"),
        *("isPrototypeOf", "propertyIsEnumerable", "__proto__", "__defineGetter__"),
        *("__defineSetter__", "__lookupGetter__", "__lookupSetter__"),
    )
)
"""Properties of every object of JavaScript."""


def painted(value: Any, colours: Mapping[str, str], *, paint: bool = False) -> Any:
    """A specification with colours in place of their names, and texts that can be drawn.

    Args:
        value: The specification, or a part of it.
        colours: By name.
        paint: Whether a text here is the name of a colour.

    >>> painted({"color": "@ink", "setup": "@ink"}, {"ink": "#000"})
    {'color': '#000', 'setup': '@ink'}
    """
    if isinstance(value, Mapping):
        return {key: painted(each, colours, paint=key in _PAINTED) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [painted(each, colours, paint=paint) for each in value]
    if paint and isinstance(value, str) and value.startswith("@"):
        return colours[value[1:]]
    return _drawable(value) if isinstance(value, str) else value


def _drawable(text: str) -> str:
    """A text that Vega takes for a text, as it looks.

    It looks values up in objects of JavaScript, which have some names already, and writes XML,
    where control characters end the process.
    """
    return f"{text} " if text in _PROPERTIES else printable(text)


def settings(*, legend: bool, size: int = 12) -> dict[str, Any]:
    """The `config` of every chart.

    Args:
        legend: Draw one; a page has its own, of HTML.
        size: Of the letters, in pixels.
    """
    return {
        "background": "@paper" if legend else "transparent",
        "font": "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif",
        "view": {"stroke": None},
        "axis": {
            "labelColor": "@muted",
            "titleColor": "@muted",
            "labelFontSize": size,
            "titleFontSize": size,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "gridColor": "@line",
            "domainColor": "@line",
            "tickColor": "@line",
            "labelFlush": True,
        },
        "title": {"color": "@ink", "fontSize": size + 2, "fontWeight": 600, "offset": 12},
        "legend": (
            {
                "orient": "top",
                "title": None,
                "labelColor": "@ink",
                "labelFontSize": size,
                "labelLimit": 240,
                "symbolOpacity": 1,  # else a band's own, too pale to tell colours by
                "columns": 2,
            }
            if legend
            else {"disable": True}
        ),
        "text": {"color": "@ink", "fontSize": size},
        "aria": False,
    }
