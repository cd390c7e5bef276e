"""Pixels on their way to the device."""

import numpy as np
import pytest
import torch

from seedwise.errors import DataError

images = pytest.importorskip(
    "seedwise.train.gpu.images", reason="needs triton", exc_type=ImportError
)

CPU = torch.device("cpu")


@pytest.fixture
def mapped(tmp_path):
    values = np.random.default_rng(3).integers(0, 256, 10_007, dtype=np.uint8)
    file = tmp_path / "pixels.u8"
    values.tofile(file)
    return values, np.memmap(file, np.uint8, "r")


@pytest.mark.parametrize("piece", [997, 10_007, 65_536])
def test_a_mapped_file_is_sent_whole_in_pieces(mapped, monkeypatch, piece):
    values, flat = mapped
    monkeypatch.setattr(images, "_PIECE", piece)
    assert np.array_equal(images._sent(flat, CPU).numpy(), values)


def test_an_offset_into_the_file_is_kept_to(mapped, tmp_path):
    values, _ = mapped
    flat = np.memmap(tmp_path / "pixels.u8", np.uint8, "r", offset=7)
    assert np.array_equal(images._sent(flat, CPU).numpy(), values[7:])


def test_an_array_in_memory_is_sent_as_it_is(mapped):
    values, _ = mapped
    assert np.array_equal(images._sent(values, CPU).numpy(), values)


def test_a_file_that_was_cut_is_refused(mapped, tmp_path):
    _, flat = mapped
    with (tmp_path / "pixels.u8").open("r+b") as file:
        file.truncate(9_000)
    with pytest.raises(DataError, match="shorter than it was"):
        images._sent(flat, CPU)
