"""Parts of a page: paragraphs, charts, tables, code and pictures, in sections, as values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from seedwise.report.charts import KINDS, Chart, Table, charts
from seedwise.report.findings import Findings

__all__ = [
    "Block",
    "Copyable",
    "Drawn",
    "Gallery",
    "Listed",
    "Picture",
    "Pictures",
    "Said",
    "Section",
    "Share",
    "Thumbnails",
    "drawn",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Encoded images.

    Attributes:
        files: A PNG or JPEG file by the image's name; images that cannot be had are left out.
        missing: Why images are left out, as a clause; empty where none is.
    """

    files: Mapping[str, bytes]
    missing: str


Thumbnails = Callable[[Sequence[str]], Pictures]
"""Gives small pictures of the images that it gets the names of, "class/file"."""


@dataclass(frozen=True, slots=True)
class Said:
    """A paragraph.

    Attributes:
        text: The words.
        form: `text`, `verdict` (a sentence to be seen first), `note` or `quiet`.
    """

    text: str
    form: str = "text"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart, with what it says and its figures.

    Attributes:
        chart: The chart.
    """

    chart: Chart


@dataclass(frozen=True, slots=True)
class Listed:
    """A table.

    Attributes:
        title: What it lists.
        table: The table.
        folded: Whether it is shown on request only.
    """

    title: str
    table: Table
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Copyable:
    """Text to be copied as it is.

    Attributes:
        title: What it is.
        text: The text.
    """

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Share:
    """P(correct) of an image under a setup.

    Attributes:
        setup: Name of the setup.
        colour: Name of its colour.
        right: Share of its predictions that are right, in [0, 1].
        usual: The class that most of them are for.
    """

    setup: str
    colour: str
    right: float
    usual: str


@dataclass(frozen=True, slots=True)
class Picture:
    """An image with how setups fare on it.

    Attributes:
        name: Its name.
        target: Its class.
        source: A data URI; empty where the pixels are not at hand.
        shares: One for each setup.
        remark: A figure about it.
    """

    name: str
    target: str
    source: str
    shares: tuple[Share, ...]
    remark: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """Images side by side.

    Attributes:
        title: What they have in common.
        pictures: The images.
    """

    title: str
    pictures: tuple[Picture, ...]


Block = Said | Drawn | Listed | Copyable | Gallery


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page under a heading.

    Attributes:
        name: Its anchor.
        title: The heading.
        blocks: What stands in it.
    """

    name: str
    title: str
    blocks: tuple[Block, ...]


def drawn(section: str, found: Findings) -> Iterator[Block]:
    """The charts of a section that a study has, and the paragraphs beside them."""
    for name, kind in KINDS.items():
        shown = charts(name, found) if kind.section == section else ()
        if shown:
            yield from (Said(text, form) for form, text in kind.before(found))
            yield from map(Drawn, shown)
            yield from (Said(text, form) for form, text in kind.after(found))
