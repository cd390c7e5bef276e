"""Libraries that tests of adapters need, and that are not installed everywhere."""

import importlib
import os
import sys
import warnings

import pytest


def library(name, *, install):
    """The module of that name; without it the test module is skipped, or fails where it must not.

    What the library warns of while it is imported is its own affair.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        reason = f"needs {error.name}: {install}"
    if os.environ.get("SEEDWISE_REQUIRE_ADAPTERS"):
        pytest.fail(f"SEEDWISE_REQUIRE_ADAPTERS is set, but this {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def without(name, monkeypatch):
    """Make a library one that is not installed."""
    for each in [each for each in sys.modules if each.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, each)
    monkeypatch.setitem(sys.modules, name, None)
