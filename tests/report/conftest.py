import pytest

from studies import Studies


@pytest.fixture
def studies(tmp_path):
    return Studies(tmp_path)
