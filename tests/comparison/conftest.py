import pytest

from helpers.studies import Studies


@pytest.fixture
def studies(tmp_path):
    """Makes study files of given logits, without training anything."""
    return Studies(tmp_path)
