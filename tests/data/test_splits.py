import lzma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.pictures import LAYOUT, folders
from helpers.reference import GOLDEN
from seedwise.data import Split, split_files, write_split
from seedwise.data.layout import listing_of
from seedwise.errors import ConfigError, DataError, UnknownName


def names(file):
    return lzma.decompress((GOLDEN / file).read_bytes()).decode().split()


def in_layout(layout):
    """All Imagenette paths, in the folders of its first or its second release."""
    first = names("imagenette_v1_names.txt.xz")
    if layout == "v1":
        return first
    moved = []
    for path in first:
        _, class_name, file = path.split("/")
        group = "val" if file[-len(".JPEG") - 1] in "012" else "train"
        moved.append(f"imagenette2/{group}/{class_name}/{file}")
    return moved


def chosen(split, layout):
    """Class and file of the validation images."""
    listing, _ = listing_of(in_layout(layout))
    train, valid = Split.of(split).choose(listing)
    assert len(train) + len(valid) == len(listing.files) == 13_394
    assert not set(train) & set(valid)
    return {listing.names[i] for i in valid}


@pytest.mark.parametrize("layout", ["v1", "v2"])
@pytest.mark.parametrize("split", ["page", {"per_class": 250, "seed": 1234}])
def test_page_picks_the_files_of_the_notebook_from_either_layout(split, layout):
    want = {path.split("/", 1)[1] for path in names("page_split_moved.txt.xz")}
    want |= {name.split("/", 1)[1] for name in in_layout("v1") if "ILSVRC2012_val" in name}
    assert len(want) == 2_500
    assert chosen(split, layout) == want


@pytest.mark.parametrize("layout", ["v1", "v2"])
@pytest.mark.parametrize(("split", "count"), [("v1", 500), ("v2", 3_925)])
def test_the_releases_splits_have_their_published_sizes(split, count, layout):
    assert len(chosen(split, layout)) == count


@pytest.mark.parametrize("layout", ["v1", "v2"])
def test_shipped_is_what_the_folders_say(layout):
    assert chosen("shipped", layout) == chosen(layout, layout)


def numbered(classes, per_class, shipped):
    paths = [
        f"{'val' if i < shipped else 'train'}/c{c}/{i:03}.png"
        for c in range(classes)
        for i in range(per_class)
    ]
    return listing_of(paths)[0]


@given(
    st.integers(2, 5), st.integers(4, 30), st.integers(0, 3), st.integers(0, 2**32 - 1), st.data()
)
def test_a_drawn_split_tops_up_what_is_shipped(classes, images, shipped, seed, data):
    listing = numbered(classes, images, shipped)
    per_class = data.draw(st.integers(max(1, shipped), images - 1))
    split = Split.of({"per_class": per_class, "seed": seed})
    train, valid = split.choose(listing)
    assert sorted([*train, *valid]) == list(range(len(listing.files)))
    assert set(np.flatnonzero(listing.shipped)) <= set(valid)
    assert (np.bincount(listing.targets[valid]) == per_class).all()
    assert (split.choose(listing)[1] == valid).all()
    assert Split.from_json(split.to_json()) == split


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("v1", "need ImageNet's file names"),
        ("page", "need ImageNet's file names"),
        ("v2", "need ImageNet's file names"),
        ({"per_class": 30, "seed": 0}, r"30 validation images of class 'c0' cannot be had"),
        ({"per_class": 1, "seed": 0}, "ships 2"),
    ],
)
def test_a_split_that_cannot_be_had_says_why(split, message):
    with pytest.raises(DataError, match=message):
        Split.of(split).choose(numbered(2, 10, 2))


@pytest.mark.parametrize(("each", "told"), [(1000, 50), (250, 50), (31, 6), (10, 2), (2, 1)])
def test_nothing_shipped_is_told_with_a_split_that_can_be_had(each, told):
    listing = numbered(2, each, 0)
    with pytest.raises(DataError, match=r"ships no validation images") as refused:
        Split.of("shipped").choose(listing)
    assert f"use split = {{ per_class = {told}, seed = 0 }}" in str(refused.value)
    _, valid = Split.of({"per_class": told, "seed": 0}).choose(listing)
    assert len(valid) == 2 * told


def test_the_split_that_is_proposed_fits_where_file_names_are_not_imagenets():
    with pytest.raises(DataError, match=r"per_class = 6, seed"):
        Split.of("page").choose(numbered(3, 31, 0))


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("pag", UnknownName),
        ({"per_class": 5}, ConfigError),
        ({"per_class": 0, "seed": 1}, ConfigError),
        ({"per_class": 5, "seed": -1}, ConfigError),
        ({"per_clas": 5, "seed": 1}, UnknownName),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(value, error):
    with pytest.raises(error):
        Split.of(value)


def test_split_files_and_written_folders_agree(tmp_path):
    source = folders(tmp_path / "pets", LAYOUT)
    picked = split_files(source, per_class=2, seed=3)
    assert len(picked) == 4
    counts = write_split(str(source), Split(per_class=2, seed=3), tmp_path / "out")
    assert counts == {"train": 4, "val": 4}
    written = {
        p.relative_to(tmp_path / "out" / "val").as_posix()
        for p in (tmp_path / "out" / "val").rglob("*.png")
    }
    assert written == {path.split("/", 1)[1] for path in picked}
    for path in picked:
        copy = tmp_path / "out" / "val" / path.split("/", 1)[1]
        assert copy.read_bytes() == (source / path).read_bytes()


def test_a_folder_that_holds_something_is_not_written_into(tmp_path):
    source = folders(tmp_path / "pets", LAYOUT)
    with pytest.raises(ConfigError, match="is not empty"):
        write_split(str(source), Split(name="shipped"), source)
