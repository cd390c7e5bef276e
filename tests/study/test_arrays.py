import io

import numpy as np
import pytest

from seedwise.errors import DataError
from seedwise.study.arrays import read_arrays


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("something was unpickled",))


def test_arrays_are_read_by_name(tmp_path):
    np.savez(tmp_path / "p.npz", predictions=np.eye(3), targets=np.arange(3), other=np.zeros(1))
    predictions, targets = read_arrays(tmp_path / "p.npz", "predictions", "targets")
    np.testing.assert_array_equal(predictions, np.eye(3))
    np.testing.assert_array_equal(targets, np.arange(3))


@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
def test_the_only_array_needs_no_name(tmp_path, save):
    path = tmp_path / "p"
    with path.open("wb") as file:
        save(file, np.eye(3))
    found, second = read_arrays(path, "predictions", "targets")
    np.testing.assert_array_equal(found, np.eye(3))
    assert second is None


@pytest.mark.parametrize("save", [np.save, np.savez])
def test_objects_are_never_unpickled(tmp_path, save):
    path = tmp_path / "p.npz"
    with path.open("wb") as file:
        save(file, np.array([Bomb()]))
    with pytest.raises(DataError, match="holds Python objects, which are never unpickled"):
        read_arrays(path, "predictions")


def test_a_pickle_is_not_even_opened_as_one(tmp_path):
    import pickle

    path = tmp_path / "p.npy"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match=r"neither a \.npy nor a \.npz"):
        read_arrays(path, "predictions")


def test_what_is_missing_or_damaged_is_said_in_one_line(tmp_path):
    path = tmp_path / "p.npz"
    np.savez(path, a=np.eye(3), b=np.eye(3))
    with pytest.raises(DataError, match="has no array 'predictions'; it has a, b"):
        read_arrays(path, "predictions")
    whole = path.read_bytes()
    for cut in (4, 10, 100, len(whole) - 30):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=str(path)) as caught:
            read_arrays(path, "a")
        assert "\n" not in str(caught.value)
    path.write_bytes(whole.replace(np.eye(3).tobytes(), np.ones((3, 3)).tobytes()))
    with pytest.raises(DataError, match="is damaged"):
        read_arrays(path, "a")
    with pytest.raises(DataError, match="cannot be read"):
        read_arrays(tmp_path / "none.npz", "a")


def test_what_would_take_all_memory_is_refused_before_it_does(tmp_path):
    path = tmp_path / "p.npz"
    np.savez_compressed(path, predictions=np.zeros((2**12, 2**14), np.float64))
    assert path.stat().st_size < 2**20
    with pytest.raises(DataError, match=r"would unpack to 0\.5 GB, more than 50 times its size"):
        read_arrays(path, "predictions")
    content = written(np.zeros((3, 3)))
    path.write_bytes(content.replace(b"(3, 3), }           ", b"(3, 99999999999999)}"))
    with pytest.raises(DataError, match="is damaged"):
        read_arrays(path, "predictions")


def written(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
