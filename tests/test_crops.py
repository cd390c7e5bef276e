"""Views of a validation image, by name and by number."""

import pytest

from seedwise.crops import CROPS, as_crops, crops_of_views, view_names
from seedwise.errors import ConfigError, UnknownName
from seedwise.records import VIEWS

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")


def test_numbers_stand_for_crops_of_which_each_has_those_before_it():
    assert as_crops(2) == ("centre",)
    assert as_crops(4) == ("centre", "top-left")
    assert as_crops(10) == ("centre", *CORNERS)
    assert as_crops(16) == ("centre", *CORNERS, "top", "left", "right")
    for count in (2, 4, 10, 16):
        assert len(view_names(as_crops(count))) == count


def test_names_come_in_one_order_and_groups_stand_for_four():
    assert as_crops(["right", "centre", "top-left"]) == ("centre", "top-left", "right")
    assert as_crops(["corners", "centre"]) == as_crops(10)
    assert as_crops(("centre", "sides", "corners", "top")) == CROPS


@pytest.mark.parametrize("value", [3, 0, True, 2.0, "centre", [], None, {"centre": 1}])
def test_what_means_no_views_is_refused(value):
    with pytest.raises(ConfigError, match="views must be 2, 4, 10 or 16, or a list of crops"):
        as_crops(value)


def test_an_unknown_crop_and_a_missing_centre_are_named():
    with pytest.raises(UnknownName, match="did you mean 'top-left'"):
        as_crops(["centre", "top-lefft"])
    with pytest.raises(UnknownName, match="crop"):
        as_crops(["centre", 3])
    with pytest.raises(ConfigError, match="views need the centre"):
        as_crops(["corners"])


def test_the_notebooks_views_come_first_and_names_tell_the_crops():
    for count in (2, 4, 10, 16):
        names = view_names(as_crops(count))
        assert names[:2] == VIEWS == ("original", "mirrored")
        assert len(set(names)) == count
        assert crops_of_views(names) == as_crops(count)
    for others in ((), ("view0", "view1"), ("mirrored", "original"), (*VIEWS, "top"), VIEWS * 2):
        assert crops_of_views(others) is None
