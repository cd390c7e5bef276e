"""The sections about predictions: class by class, group by group, and image by image."""

import base64
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from numpy import ndarray

from seedwise.comparison.predicted import ImageDifferences
from seedwise.figures import figure
from seedwise.report.charts.chart import Table
from seedwise.report.charts.theme import role
from seedwise.report.findings import Findings
from seedwise.report.page.parts import (
    Block,
    Gallery,
    Listed,
    Picture,
    Pictures,
    Said,
    Section,
    Share,
    Thumbnails,
    drawn,
)
from seedwise.shaped import Int64

__all__ = ["classes_section", "examples_section", "images_section"]

_SHOWN = 12


def classes_section(found: Findings) -> Section | None:
    """The differences class by class, and group by group."""
    blocks = tuple(drawn("classes", found))
    title = "Class by class" if found.classes else "Group by group"
    return Section("classes", title, blocks) if blocks else None


def examples_section(found: Findings) -> Section | None:
    """The examples that make the noise, and those on which setups differ, as tables of scores."""
    if not found.predicted or found.dataset is not None:
        return None
    called, names = found.called, found.study.example_names
    flipping = _flipping(found)
    blocks: list[Block] = [*drawn("images", found)]
    if flipping:
        title = f"{called.capitalize()} that are right in one run and wrong in another most often"
        blocks.append(_listed(found, title, found.setups, flipping))
    for name, chosen in _apart(found).items():
        if len(chosen):
            title = f"{called.capitalize()} on which {found.setups[0]} and {name} differ most"
            blocks.append(_listed(found, title, (found.setups[0], name), chosen.tolist()))
    blocks.append(
        Said(
            f"Figures are means over runs. The {called} are the most extreme of {len(names):,}: "
            "some are there by luck.",
            "quiet",
        )
    )
    return Section("images", f"{called.capitalize()} one by one", tuple(blocks))


def _apart(found: Findings) -> Mapping[str, Int64[ndarray, " images"]]:
    """The examples on which each setup differs most from the first."""
    baseline = found.predicted.get(found.setups[0])
    return {
        name: ImageDifferences(a=baseline, b=each).largest(_SHOWN)
        for name, each in found.predicted.items()
        if baseline is not None and each is not baseline
    }


def _listed(found: Findings, title: str, setups: Sequence[str], places: Sequence[int]) -> Listed:
    """Some examples with their group and their mean score under some setups."""
    names, groups = found.study.example_names, found.study.groups
    shown = [found.predicted[name] for name in setups if name in found.predicted]
    rows = [
        (
            names[place],
            *([] if groups is None else [groups.names[groups.place[place]]]),
            *(figure(one.metric, float(one.right[place])) for one in shown),
        )
        for place in places
    ]
    head = ("name", *([] if groups is None else ["group"]), *(one.setup for one in shown))
    return Listed(title, Table.of(head, rows))


def images_section(found: Findings, thumbnails: Thumbnails | None) -> Section | None:
    """The images that make the noise, and those on which setups differ."""
    if not found.predicted or found.dataset is None:
        return None
    flipping, called = _flipping(found), found.called
    apart = _apart(found)
    names = found.dataset.names
    wanted = [names[i] for i in dict.fromkeys(chain(flipping, *apart.values()))]
    pictures = (
        thumbnails(wanted) if thumbnails else Pictures(files={}, missing="none were asked for")
    )
    blocks: list[Block] = [*drawn("images", found)]
    if pictures.missing and called == "images":
        blocks.append(Said(f"Images are named but not shown: {pictures.missing}.", "note"))
    if len(flipping):
        blocks.append(
            Gallery(
                "Predictions that flip most from run to run",
                _pictures(found, found.setups, flipping, pictures, flips=True),
            )
        )
    for name, chosen in apart.items():
        if len(chosen):
            blocks.append(
                Gallery(
                    f"{called.capitalize()} on which {found.setups[0]} and {name} differ most",
                    _pictures(found, (found.setups[0], name), chosen.tolist(), pictures),
                )
            )
    blocks.append(
        Said(
            f"Shares are of the predictions over runs and views that were right. The {called} are "
            f"the most extreme of {len(names):,}: some are there by luck.",
            "quiet",
        )
    )
    title = "Image by image" if called == "images" else f"{called.capitalize()} one by one"
    return Section("images", title, tuple(blocks))


def _flipping(found: Findings) -> list[int]:
    """The images whose predictions differ most from run to run, over all setups."""
    several = [one for one in found.predicted.values() if len(one.seeds) > 1]
    each = [one.flips for one in several if len(one.flips)]
    if not each:
        return []
    flips = np.mean(each, axis=0)
    order = np.argsort(-flips, kind="stable")[:_SHOWN]
    return [int(i) for i in order if flips[i] > 0]


def _pictures(
    found: Findings,
    setups: Sequence[str],
    places: Sequence[int],
    pictures: Pictures,
    *,
    flips: bool = False,
) -> tuple[Picture, ...]:
    """The images at some places, with how some setups fare on them."""
    dataset = found.dataset
    assert dataset is not None, "predictions come with targets"
    return tuple(
        Picture(
            name=dataset.names[i],
            target=_class(found, int(dataset.targets[i])),
            source=_data_uri(pictures.files.get(dataset.names[i], b"")),
            shares=tuple(
                Share(
                    name,
                    role(found.setups.index(name)),
                    float(found.predicted[name].right[i]),
                    _class(found, int(found.predicted[name].usual[i])),
                )
                for name in setups
                if name in found.predicted
            ),
            remark=_flips(found, i) if flips else "",
        )
        for i in places
    )


def _flips(found: Findings, place: int) -> str:
    rates = [one.flips[place] for one in found.predicted.values() if len(one.seeds) > 1]
    return f"runs differ: {100 * sum(rates) / len(rates):.0f} %"


def _class(found: Findings, label: int) -> str:
    """The name of a class; predictions may be of more classes than the targets have."""
    names = found.class_names
    return names[label] if label < len(names) else str(label)


def _data_uri(file: bytes) -> str:
    """The file as an address; empty for no file."""
    if not file:
        return ""
    kind = "png" if file.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"
