import sys

import pytest

from seedwise.data import LOADERS, choose_loader
from seedwise.errors import MissingPackage, UnknownName
from seedwise.setups import KNOWN, Setup
from seedwise.study import Study


def test_the_loaders_are_those_that_a_setup_may_name():
    assert sorted(("auto", *LOADERS)) == sorted(KNOWN["loader"])


def test_an_unknown_loader_is_named_with_those_that_are_known():
    with pytest.raises(UnknownName, match="unknown loader 'dalli'; did you mean 'dali'"):
        choose_loader("dalli", device="cpu")


def test_a_study_whose_loader_is_not_installed_ends_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nvidia.dali", None)
    monkeypatch.delitem(sys.modules, "seedwise.data.dali", raising=False)
    monkeypatch.delattr("seedwise.data.dali", raising=False)
    study = Study(tmp_path / "s.db", dataset="digits")
    with pytest.raises(MissingPackage, match=r"pip install 'seedwise\[dali\]'"):
        study.run({"a": Setup(loader="dali")}, seeds=1)
    assert not study.path.exists()
