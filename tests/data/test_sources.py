import io
import os
import tarfile
import warnings
import zipfile

import numpy as np
import pytest

from helpers.pictures import LAYOUT, as_tar, as_zip, encoded, folders, picture
from seedwise.data import DATASETS, Split, open_data
from seedwise.data.sources import open_source
from seedwise.errors import DataError, UnknownName


def source_of(path, tmp_path):
    return open_source(str(path), place=None, downloads=tmp_path / "downloads")


@pytest.fixture
def pets(tmp_path):
    return folders(tmp_path / "pets", LAYOUT)


def test_folder_and_archives_hold_the_same_items(pets, tmp_path):
    sources = [
        source_of(pets, tmp_path),
        source_of(as_tar(pets, tmp_path / "p.tar"), tmp_path),
        source_of(as_tar(pets, tmp_path / "p.tar.gz", "w:gz"), tmp_path),
        source_of(as_zip(pets, tmp_path / "p.zip"), tmp_path),
    ]
    contents = [
        {item.path.removeprefix("pets/"): item.content for item in source.items()}
        for source in sources
    ]
    assert all(content == contents[0] for content in contents)
    assert len(contents[0]) == len(LAYOUT)
    for source in sources:
        assert sorted(item.path for item in source.items()) == source.paths()


def tar_with(path, *members):
    with tarfile.open(path, "w") as archive:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content)
            info.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("../a/b.png", tarfile.REGTYPE, "leads out of the archive"),
        ("/a/b.png", tarfile.REGTYPE, "leads out of the archive"),
        ("a/../../b.png", tarfile.REGTYPE, "leads out of the archive"),
        ("a/b.png", tarfile.SYMTYPE, "a link or device"),
        ("a/b.png", tarfile.LNKTYPE, "a link or device"),
        ("a/b.png", tarfile.CHRTYPE, "a link or device"),
        ("a/b.png", tarfile.FIFOTYPE, "a link or device"),
    ],
)
def test_archives_that_reach_out_are_refused(tmp_path, name, kind, message):
    archive = tar_with(tmp_path / "bad.tar", (name, kind, b""))
    with pytest.raises(DataError, match=message):
        list(source_of(archive, tmp_path).items())


def test_a_bomb_is_refused_before_it_is_read(tmp_path):
    with tarfile.open(tmp_path / "bomb.tgz", "w:gz") as archive:
        info = tarfile.TarInfo("a/b.png")
        info.size = 50_000_000
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    with pytest.raises(DataError, match="more than 50 times its size"):
        list(source_of(tmp_path / "bomb.tgz", tmp_path).items())


@pytest.mark.parametrize("suffix", ["tar", "tgz", "zip"])
def test_a_damaged_archive_is_named(pets, tmp_path, suffix):
    make = {"tar": as_tar, "tgz": lambda f, t: as_tar(f, t, "w:gz"), "zip": as_zip}[suffix]
    path = make(pets, tmp_path / f"p.{suffix}")
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    damaged = content[:half] if suffix != "zip" else content[:60] + bytes(200) + content[260:]
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=f"p.{suffix} is damaged"):
        list(source_of(path, tmp_path).items())


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match="neither a folder nor an archive"):
        source_of(tmp_path / "notes.txt", tmp_path)


def test_an_unknown_name_gets_a_suggestion(tmp_path):
    with pytest.raises(UnknownName, match="did you mean 'imagenette-160'"):
        source_of("imagenete-160", tmp_path)


def test_a_named_dataset_may_lie_anywhere(pets, tmp_path):
    data = open_data("imagenette", Split.of("shipped"), source=pets, cache=tmp_path / "cache")
    assert (data.name, len(data.names)) == ("imagenette", 8)


def test_a_place_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere does not exist"):
        open_source("imagenette", place=tmp_path / "nowhere", downloads=tmp_path)


def test_digits_come_with_their_package(tmp_path):
    data = open_data("digits", Split.of({"per_class": 50, "seed": 1234}), cache=tmp_path)
    assert len(data.names) == 1_797
    assert (len(data.valid), data.classes) == (500, tuple("0123456789"))
    first = data.pixels.image(0)
    assert first.shape == (8, 8, 3)
    assert first.max() == 239  # 15 of 16


def cifar_archive(path, counts):
    rng = np.random.default_rng(0)
    records = {}
    with tarfile.open(path, "w:gz") as archive:
        for name, count in counts.items():
            rows = rng.integers(0, 256, (count, 3073), dtype=np.uint8)
            rows[:, 0] = np.arange(count) % 10
            records[name] = rows
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            info.size = rows.nbytes
            archive.addfile(info, io.BytesIO(rows.tobytes()))
    return records


def test_cifar_10_is_read_from_its_binary_archive(tmp_path):
    name = DATASETS["cifar10"].archive.address.rpartition("/")[2]
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    counts = {"data_batch_1": 20, "data_batch_2": 20, "test_batch": 10}
    records = cifar_archive(downloads / name, counts)
    data = open_data("cifar10", Split.of("shipped"), cache=tmp_path)
    assert (len(data.names), len(data.valid)) == (50, 10)
    i = data.names.index("cat/data_batch_2_00013")
    want = records["data_batch_2"][13, 1:].reshape(3, 32, 32).transpose(1, 2, 0)
    np.testing.assert_array_equal(data.pixels.image(i), want)


def test_a_picture_survives_the_whole_way(tmp_path):
    pets = folders(tmp_path / "pets", LAYOUT)
    (item,) = [item for item in source_of(pets, tmp_path).items() if item.path == "val/dog/h.png"]
    assert item.content == encoded(picture(7))


@pytest.mark.parametrize("target", [".", "..", "../..", "pets/train"])
def test_a_link_to_a_folder_that_it_lies_in_is_refused(pets, tmp_path, target):
    (pets / "train/cat/loop").symlink_to(tmp_path / target if "pets" in target else target)
    if target == "../..":
        (pets / "train/dog/loop").symlink_to("..")  # two never ended
    with pytest.raises(DataError, match=r"loop leads back to a folder that it lies in; remove"):
        source_of(pets, tmp_path).paths()


def test_links_that_have_an_end_are_followed(pets, tmp_path):
    (pets / "test").symlink_to("val")
    elsewhere = folders(tmp_path / "elsewhere", {"x": 50})
    (pets / "train/bird").symlink_to(elsewhere)
    found = source_of(pets, tmp_path).paths()
    assert "test/cat/g.png" in found
    assert "train/bird/x.png" in found
    assert found == sorted(found)
    assert len(found) == len(LAYOUT) + 3


def test_links_that_multiply_are_refused(tmp_path):
    """Thirty folders with two links to the next: a billion paths without a loop."""
    for i in range(30):
        (tmp_path / "top" / str(i)).mkdir(parents=True)
        for name in "ab":
            (tmp_path / "top" / str(i) / name).symlink_to(f"../{i + 1}" if i < 29 else "/dev")
    with pytest.raises(DataError, match="more than 8 links lead to"):
        source_of(tmp_path / "top", tmp_path).paths()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(pets, tmp_path):
    (pets / "train/cat").chmod(0)
    with pytest.raises(DataError, match="train/cat cannot be read"):
        source_of(pets, tmp_path).paths()


@pytest.mark.parametrize("second", ["pets/train/cat/a.png", "./pets/train//cat/a.png"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_one_path_twice_in_an_archive_is_refused(pets, tmp_path, kind, second):
    path, content = tmp_path / f"p.{kind}", encoded(picture(99))
    if kind == "tar":
        as_tar(pets, path)
        with tarfile.open(path, "a") as archive:
            member = tarfile.TarInfo(second)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    else:
        as_zip(pets, path)
        with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
            warnings.simplefilter("ignore")
            archive.writestr(second, content)
            archive.writestr("pets/notes.txt", "one")
            archive.writestr("pets/notes.txt", "two")  # no image: nobody reads it
    with pytest.raises(DataError, match=r"holds '.*cat/+a\.png' twice, and it is unclear which"):
        source_of(path, tmp_path).paths()
