import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedwise.data.layout import listing_of
from seedwise.errors import DataError

GROUPED = ["train/a/1.png", "train/b/2.png", "val/a/3.png", "val/b/4.png"]


def summary(paths):
    listing, order = listing_of(paths)
    return listing.names, listing.shipped.tolist(), [paths[i] for i in order]


def test_groups_do_not_change_the_order_of_the_listing():
    names, shipped, order = summary(GROUPED)
    assert names == ("a/1.png", "a/3.png", "b/2.png", "b/4.png")
    assert shipped == [False, True, False, True]
    assert order == [GROUPED[0], GROUPED[2], GROUPED[1], GROUPED[3]]


@given(st.permutations(GROUPED))
def test_the_order_in_which_a_source_gives_its_files_does_not_matter(paths):
    assert summary(paths) == summary(GROUPED)


@pytest.mark.parametrize("valid", ["val", "valid", "validation", "test"])
@pytest.mark.parametrize("top", ["", "imagenette2/", "a/b/"])
def test_usual_layouts_are_read(valid, top):
    paths = [top + path.replace("val/", f"{valid}/") for path in GROUPED]
    assert summary(paths)[:2] == summary(GROUPED)[:2]


def test_class_folders_alone_ship_no_validation_set():
    names, shipped, _ = summary(["x/b/1.png", "x/a/deep/2.png"])
    assert names == ("a/deep/2.png", "b/1.png")
    assert shipped == [False, False]


def test_a_test_folder_beside_val_is_left_out():
    names, *_ = summary([*GROUPED, "test/a/5.png"])
    assert "a/5.png" not in names


def test_names_that_meet_in_train_and_val_are_told_apart():
    names, shipped, _ = summary(["train/a/1.png", "val/a/1.png", "train/b/1.png"])
    assert names == ("a/train/1.png", "a/val/1.png", "b/train/1.png")
    assert shipped == [False, True, False]


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "no images were found"),
        (["1.png", "2.png"], "a folder for each class"),
        (["a/1.png", "a/2.png"], "at least two classes"),
        (["train/a/1.png", "extra/b/2.png"], "train/CLASS and val/CLASS"),
        (["train/1.png", "train/b/2.png"], "train/CLASS"),
    ],
)
def test_a_layout_that_cannot_be_read_says_so(paths, message):
    with pytest.raises(DataError, match=message):
        listing_of(paths)
