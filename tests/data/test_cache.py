import errno
import json
import os
import platform
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from helpers.pictures import LAYOUT, as_tar, as_zip, encoded, folders, picture
from seedwise.data import Split, cache, centre_windows, open_data, resample
from seedwise.errors import DataError
from seedwise.locks import locked


@pytest.fixture
def pets(tmp_path):
    return folders(tmp_path / "pets", LAYOUT)


def opened(source, tmp_path, **options):
    return open_data(str(source), Split.of("shipped"), cache=tmp_path / "cache", **options)


_WATCHING = list[tuple[str, list[str]]]()


def _note(event, arguments):
    if event == "open" and _WATCHING and str(arguments[0]).startswith(_WATCHING[0][0]):
        _WATCHING[0][1].append(str(arguments[0]))


@contextmanager
def files_opened_in(folder):
    """The names of the files of a folder that are opened as long as this is open."""
    opened = []
    _WATCHING.append((f"{folder}{os.sep}", opened))
    try:
        yield opened
    finally:
        _WATCHING.clear()


sys.addaudithook(_note)  # for ever: a hook cannot be taken away


def caches(tmp_path):
    return sorted((tmp_path / "cache" / "pixels").glob("*.pixels"))


def test_pixels_are_those_of_the_files_in_listing_order(pets, tmp_path):
    data = opened(pets, tmp_path)
    seeds = {f"{path.split('/', 1)[1]}.png": seed for path, seed in LAYOUT.items()}
    assert data.names == tuple(sorted(seeds))
    for i, name in enumerate(data.names):
        np.testing.assert_array_equal(data.pixels.image(i), picture(seeds[name]))
        assert data.classes[data.targets[i]] == name.split("/")[0]
    assert [data.names[i] for i in data.valid] == ["cat/g.png", "dog/h.png"]
    record = data.record()
    assert record.names == ("cat/g.png", "dog/h.png")
    assert record.targets.tolist() == [0, 1]


def test_one_content_has_one_fingerprint_in_whatever_it_lies(pets, tmp_path):
    other_layout = {path.replace("val/", "train/"): seed for path, seed in LAYOUT.items()}
    other_layout["val/cat/a"] = other_layout.pop("train/cat/a")
    sources = [
        pets,
        as_tar(pets, tmp_path / "pets.tar"),
        as_tar(pets, tmp_path / "pets.tgz", "w:gz"),
        as_zip(pets, tmp_path / "pets.zip"),
        folders(tmp_path / "v2", other_layout),
    ]
    found = {opened(source, tmp_path).fingerprint for source in sources}
    assert len(found) == 1
    assert len(caches(tmp_path)) == 1


def test_another_pixel_is_another_dataset(pets, tmp_path):
    before = opened(pets, tmp_path).fingerprint
    (pets / "train/cat/a.png").write_bytes(encoded(picture(99)))
    after = opened(pets, tmp_path)
    assert after.fingerprint != before
    np.testing.assert_array_equal(after.pixels.image(0), picture(99))


def test_a_second_start_decodes_nothing(pets, tmp_path):
    told = []
    opened(pets, tmp_path, watch=lambda *event: told.append(event))
    assert told[-1] == ("decoding images", 8, 8)
    told.clear()
    opened(pets, tmp_path, watch=lambda *event: told.append(event))
    assert told == []


def test_a_folder_that_is_cached_opens_again_without_a_look_into_its_files(tmp_path):
    """It is why 13,000 files open again in well under a second."""
    images = folders(tmp_path / "many", {f"class{i % 10}/{i}": i for i in range(300)})
    split = Split.of({"per_class": 5, "seed": 0})
    with files_opened_in(images) as first:
        open_data(str(images), split, cache=tmp_path / "cache")
    with files_opened_in(images) as again:
        open_data(str(images), split, cache=tmp_path / "cache")
    assert (len(set(first)), again) == (300, [])


def test_smaller_pixels_are_another_cache_of_the_same_data(pets, tmp_path):
    full, small = opened(pets, tmp_path), opened(pets, tmp_path, pixels=10)
    assert small.fingerprint == full.fingerprint
    assert small.pixels.image(0).shape == (10, 12, 3)
    assert len(caches(tmp_path)) == 2


def test_hidden_files_and_other_suffixes_are_passed_over(pets, tmp_path):
    for name in (".DS_Store", "._a.png", "Thumbs.db", "notes.txt"):
        (pets / "train/cat" / name).write_bytes(b"rubbish")
    (pets / "train/cat/upper.PNG").write_bytes(encoded(picture(20)))
    (pets / "train/cat/wrong.JPEG").write_bytes(encoded(picture(21)))
    data = opened(pets, tmp_path)
    assert len(data.names) == 10
    np.testing.assert_array_equal(
        data.pixels.image(data.names.index("cat/wrong.JPEG")), picture(21)
    )


def test_broken_images_are_all_named_and_nothing_is_kept(pets, tmp_path):
    for i in range(7):
        (pets / f"train/dog/bad{i}.png").write_bytes(encoded(picture(i))[:60])
    with pytest.raises(
        DataError, match=r"7 of 15 images cannot be decoded: .*bad0.png .* and 2 more"
    ):
        opened(pets, tmp_path)
    assert list((tmp_path / "cache" / "pixels").iterdir()) == []


def test_too_little_space_is_told_beforehand(pets, tmp_path, monkeypatch):
    usage = cache.shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"need about .* GB, but .* has 0.0 GB free"):
        opened(pets, tmp_path)


def test_a_disk_that_fills_up_leaves_nothing_behind(pets, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.np, "save", full)
    with pytest.raises(DataError, match="is full; give another by --cache"):
        opened(pets, tmp_path)
    assert list((tmp_path / "cache" / "pixels").iterdir()) == []


def test_a_cache_folder_that_cannot_be_made_is_named(pets, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        opened(pets, tmp_path)


@pytest.mark.parametrize("damage", ["short", "manifest", "index"])
def test_a_damaged_cache_is_told_and_can_be_deleted(pets, tmp_path, damage):
    opened(pets, tmp_path)
    (made,) = caches(tmp_path)
    if damage == "short":
        with (made / "pixels.u8").open("r+b") as file:
            file.truncate(100)
    elif damage == "manifest":
        (made / "manifest.json").write_text("{")
    else:
        (made / "index.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match="delete it"):
        opened(pets, tmp_path)


def test_an_index_with_objects_is_never_unpickled(pets, tmp_path):
    opened(pets, tmp_path)
    (made,) = caches(tmp_path)
    np.save(made / "index.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        opened(pets, tmp_path)


def test_a_process_that_was_killed_while_decoding_is_made_good_and_cleaned_up(pets, tmp_path):
    """What it leaves is a folder under another name, which nobody reads."""
    kept = tmp_path / "cache" / "pixels"
    for name, owner in (("making-old", None), ("making-dead", 2**22 + 1)):
        (kept / name).mkdir(parents=True)
        (kept / name / "pixels.u8").write_bytes(b"half")
        if owner:
            said = {"host": platform.node(), "pid": owner, "since": "2026-11-28T10:00:00+00:00"}
            (kept / f"{name}.lock").write_text(json.dumps(said))
    with locked(kept / "making-now.lock", wait=False):
        (kept / "making-now").mkdir()
        assert len(opened(pets, tmp_path).names) == 8
        assert [path.name for path in kept.glob("making-*[!k]")] == ["making-now"]


def flipped(made, place):
    """Turn one bit of the pixels."""
    with (made / "pixels.u8").open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 4]))


@pytest.mark.parametrize("place", [0, 5_000, 8 * 20 * 24 * 3 - 1])
def test_a_turned_bit_is_found_when_the_cache_is_opened(pets, tmp_path, place):
    opened(pets, tmp_path)
    (made,) = caches(tmp_path)
    flipped(made, place)
    with pytest.raises(DataError, match=r"the pixels of 1 of 8 images .*; delete it"):
        opened(pets, tmp_path)


def many(tmp_path, count=400):
    for i in range(count):
        file = tmp_path / "many" / f"class{i % 2}" / f"{i:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(picture(i, height=8, width=8)))
    split = Split.of({"per_class": 5, "seed": 0})
    return lambda: open_data(str(tmp_path / "many"), split, cache=tmp_path / "cache")


def test_images_that_no_sample_has_are_looked_at_as_they_are_read(tmp_path):
    again = many(tmp_path)
    again()
    (made,) = caches(tmp_path)
    index = np.load(made / "index.npy")
    flipped(made, index[7, 0] + 3)
    data = again()
    size = 8
    side = np.full(2, 8, np.int32)
    windows = centre_windows(side, side, size=size)

    def read(*images):
        return resample(data.pixels, np.array(images), windows, np.zeros(2, bool), size=size)

    np.testing.assert_array_equal(read(5, 6), read(5, 6))
    for _ in range(2):  # and not only the first time
        with pytest.raises(DataError, match="the pixels of 1 of"):
            read(7, 8)
        with pytest.raises(DataError, match="delete it"):
            data.pixels.image(7)
        with pytest.raises(DataError, match=r"the pixels of 1 of \d+ images"):
            data.pixels.check(np.arange(400))


def test_an_image_is_looked_at_once(tmp_path, monkeypatch):
    data = many(tmp_path)()
    data.pixels.check(np.arange(400))
    monkeypatch.setattr("seedwise.data.pixels.zlib.crc32", lambda _: pytest.fail("looked again"))
    data.pixels.check(np.arange(400))
    data.pixels.image(3)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["targets"].reverse(),
        lambda manifest: manifest["shipped"].reverse(),
        lambda manifest: manifest["classes"].reverse(),
        lambda manifest: manifest.update(fingerprint="0" * 64),
    ],
)
def test_turned_labels_are_found(pets, tmp_path, change):
    opened(pets, tmp_path)
    (made,) = caches(tmp_path)
    manifest = json.loads((made / "manifest.json").read_text())
    change(manifest)
    (made / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"its manifest was changed\); delete it"):
        opened(pets, tmp_path)


def test_a_turned_index_is_found(pets, tmp_path):
    opened(pets, tmp_path)
    (made,) = caches(tmp_path)
    index = np.load(made / "index.npy")
    np.save(made / "index.npy", index[::-1])
    with pytest.raises(DataError, match=r"its index was changed\); delete it"):
        opened(pets, tmp_path)


def test_files_are_on_the_disk_before_the_cache_has_its_name(pets, tmp_path, monkeypatch):
    done = []
    to_disk, rename = os.fsync, Path.rename

    def synced(handle):
        done.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        to_disk(handle)

    def renamed(path, target):
        done.append("renamed")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    opened(pets, tmp_path)
    before = done[: done.index("renamed")]
    assert {"pixels.u8", "index.npy", "manifest.new"} < set(before)
    assert before[-1].startswith("making-")
    assert "pixels" in done[len(before) :]


def test_a_cache_of_before_there_were_checksums_is_made_again_and_said(pets, tmp_path):
    before = opened(pets, tmp_path)
    (made,) = caches(tmp_path)
    old = made.with_name(cache._name(before.fingerprint, None, 1))
    made.rename(old)
    manifest = json.loads((old / "manifest.json").read_text())
    del manifest["digest"], manifest["index"]
    (old / "manifest.json").write_text(json.dumps(manifest | {"format": 1}))
    np.save(old / "index.npy", np.load(old / "index.npy")[:, :3])
    assert cache.newest_cache(old.parent) is None
    told = []
    again = opened(pets, tmp_path, watch=lambda *event: told.append(event))
    assert again.fingerprint == before.fingerprint
    assert told[-1][0].startswith("decoding images again (this cache predates")
    assert caches(tmp_path) == [made]


def test_the_manifest_says_what_was_decoded(pets, tmp_path):
    data = opened(pets, tmp_path)
    (made,) = caches(tmp_path)
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["fingerprint"] == data.fingerprint
    assert manifest["classes"] == ["cat", "dog"]
