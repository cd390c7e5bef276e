import pytest

from seedwise.setups import Setup
from seedwise.store import Store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.db"


@pytest.fixture
def store(path):
    with Store.open(path, create=True) as store:
        store.add_setup("mish", Setup())
        yield store
