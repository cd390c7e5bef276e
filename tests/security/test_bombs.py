"""Small files that would take all memory or all time: refused before they do."""

import bz2
import gzip
import json
import lzma
import subprocess
import sys
import tarfile
import zipfile
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from helpers.effort import effort
from seedwise.errors import ConfigError
from seedwise.importers import csvfile
from seedwise.seeds import Seed
from seedwise.study import seeding
from seedwise.study.importing import import_runs

TESTS = Path(__file__).parents[1]
GROWN = 2**28
"""Bytes that each would unpack to; the attack's were gigabytes."""

READER = """
import json, os, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from helpers.effort import effort
from seedwise.data.sources import open_source
from seedwise.errors import SeedwiseError
from seedwise.study.arrays import read_arrays
from seedwise.study.importing import import_runs

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000

def images(path):
    source = open_source(str(path), place=None, downloads=path.parent)
    source.paths()
    for item in source.items():
        item.content

def arrays(path):
    read_arrays(path, "predictions", "targets")

def table(path):
    import_runs(path, path.with_suffix(".db"))

def read(kind, path):
    before = peak()
    try:
        with effort() as taken:
            globals()[kind](Path(path))
        said = "read"
    except SeedwiseError as error:
        said = str(error)
    print(json.dumps([said, peak() - before, taken.units]), flush=True)

for line in sys.stdin:
    if os.fork() == 0:  # a process for each file, whose peak of memory is its own
        read(*json.loads(line))
        os._exit(0)
    os.wait()
    print(flush=True)
"""


@pytest.fixture(scope="module")
def reader():
    """A process that reads files, each in a child of its own; it has imported all before."""
    with subprocess.Popen(
        [sys.executable, "-c", READER, TESTS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def refused(reader):
    """Gives what is said of a file, with less than 200 MB and little CPU time taken for it.

    The most is 15 units; a file whose work grows with the square of its size takes thousands.
    """

    def refused(kind, path):
        print(json.dumps([kind, str(path)]), file=reader.stdin, flush=True)
        told = reader.stdout.readline()
        assert told.strip(), "it has died"
        assert reader.stdout.readline() == "\n"
        said, megabytes, units = json.loads(told)
        assert said != "read"
        assert "\n" not in said
        assert len(said) < 500
        assert megabytes < 200
        assert units < 300
        return said

    return refused


def head(kind, size=GROWN, name="a/x.png"):
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


COMPRESS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def packed(path, how, beginning, rest=bytes(2**22)):
    """A file of this beginning and of the rest over and over, each packed once."""
    compress = COMPRESS[how]
    path.write_bytes(compress(beginning) + compress(rest) * (GROWN // len(rest)))
    return path


@pytest.mark.parametrize("how", ["gz", "bz2", "xz"])
@pytest.mark.parametrize("kind", [b"x", b"g", b"X", b"L", b"K"])
def test_headers_of_tar_are_bounded(refused, tmp_path, how, kind):
    said = refused("images", packed(tmp_path / f"p.tar.{how}", how, head(kind)))
    assert "has a header of 268,435,456 bytes for one name" in said


@pytest.mark.parametrize("how", ["gz", "bz2", "xz"])
def test_members_of_tar_are_bounded(refused, tmp_path, how):
    said = refused("images", packed(tmp_path / f"p.tar.{how}", how, head(b"0")))
    assert "would unpack to more than 50 times its size" in said


@pytest.mark.parametrize("how", ["gz", "bz2", "xz"])
def test_what_no_member_has_is_bounded_too(refused, tmp_path, how):
    """Headers of 512 bytes, one after the other: no name is long, and none is a file."""
    folder = head(b"5", size=0, name="a/")
    said = refused("images", packed(tmp_path / f"p.tar.{how}", how, folder, folder * 2**10))
    assert "holds more than 10,000 folders" in said


def test_a_stream_that_wants_a_large_dictionary_is_refused(refused, tmp_path):
    path = tmp_path / "p.tar.xz"
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 2**29}]
    with lzma.open(path, "wb", filters=filters) as file:
        file.write(head(b"0", size=10) + bytes(2**16))
    assert "emory" in refused("images", path)


UNPACKED = 2**27


def lying(path, method, size):
    """A zip whose member unpacks to more than it says, if only little by methods refused."""
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as archive:
        with archive.open("a/x.png", "w") as file:
            for _ in range(UNPACKED >> 20 if method == zipfile.ZIP_DEFLATED else 4):
                file.write(bytes(2**20))
        archive.writestr("b/x.png", b"some")
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    for place in (22, entry + 24):
        content[place : place + 4] = size.to_bytes(4, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_lies_gives_no_more_than_it_says(refused, tmp_path, method):
    said = refused("images", lying(tmp_path / "p.zip", method, 100))
    assert "Bad CRC-32" in said or "packed by another method than deflate" in said


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_zip_that_does_not_lie_is_bounded(refused, tmp_path, method):
    assert refused("images", lying(tmp_path / "p.zip", method, UNPACKED))


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_thousands_of_empty_members_are_refused(refused, tmp_path, kind):
    path = tmp_path / f"p.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for i in range(4_000):
                archive.writestr(f"a/{i}.png", "")
    else:
        with tarfile.open(path, "w:gz", compresslevel=1) as archive:
            for i in range(4_000):
                archive.addfile(tarfile.TarInfo(f"a/{i}.png"))
    assert "holds more than 1,000 empty files" in refused("images", path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_arrays_packed_in_another_way_are_refused(refused, tmp_path, method):
    path = tmp_path / "p.npz"
    with zipfile.ZipFile(path, "w", method) as archive, archive.open("x.npy", "w") as file:
        np.save(file, np.zeros(2**20))
    assert "packed by another method than numpy's" in refused("arrays", path)


def test_forty_thousand_arrays_are_named_by_ten(refused, tmp_path):
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        for i in range(40_000):
            archive.writestr(f"{i}.npy", "")
    said = refused("arrays", tmp_path / "p.npz")
    assert said.endswith("it has 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 39,990 more")


NAMES = "setup,seed,accuracy\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (lambda: NAMES + "a,0,0.5\n" + "\n" * 200_000_000, "bytes"),
        (lambda: "\n" * 60_000_000, "cells and lines"),
        (lambda: "\r" * 60_000_000, "cells and lines"),
        (lambda: NAMES + "," * 60_000_000, "cells and lines"),
        (lambda: NAMES + "a,0,0.5\n" * 1_000_000, "cells and lines"),
        (lambda: ",".join(map(str, range(40_000))) + "\n" + "," * 39_999 + "1\n", "columns"),
        (lambda: ",".join(["x"] * 40_000) + "\n" + ",".join(["1"] * 40_000), "columns"),
    ],
)
def test_tables_that_no_runs_fill_are_refused(refused, tmp_path, text, what):
    (tmp_path / "p.csv").write_text(text())
    assert f" {what}; leave out what is not setup, seed or metric" in refused(
        "table", tmp_path / "p.csv"
    )


def test_columns_take_time_by_their_number_and_not_by_its_square(tmp_path, monkeypatch):
    """To look for names that come twice, each was looked for in all: 10 s for so many."""
    monkeypatch.setattr(csvfile, "_MOST_COLUMNS", 30_000)
    columns = [f"c{i}" for i in range(20_000)]
    lines = [",".join(["setup", "seed", "accuracy", *columns])]
    lines += [f"a,{seed},0.{seed}" + ",x" * len(columns) for seed in range(3)]
    (tmp_path / "p.csv").write_text("\n".join(lines))
    with effort() as taken:
        import_runs(tmp_path / "p.csv", tmp_path / "s.db")
    assert taken.units < 100


@pytest.fixture
def seeds(monkeypatch):
    """Seeds of which at most 3,000 may be made or compared; a study may have 1,000."""
    monkeypatch.setattr(seeding, "_MOST_SEEDS", 1_000)
    for method in ("__post_init__", "__eq__"):
        monkeypatch.setattr(Seed, method, at_most(3_000, getattr(Seed, method)))
    return seeding


def at_most(most, function):
    calls = count(1)

    def counted(*arguments):
        assert next(calls) <= most
        return function(*arguments)

    return counted


@pytest.mark.parametrize(
    "text",
    [
        ",".join(f"{1_000 * i}:{1_000 * (i + 1)}" for i in range(200)),
        ",".join(["0:1000"] * 200),
        "0:1000,999",  # whoever is named twice was counted among all
        "1000000000000",
    ],
)
def test_seeds_are_counted_as_they_are_read(seeds, text):
    with pytest.raises(ConfigError, match="seed"):
        seeds.parse_seeds(text)


def test_a_number_of_seeds_has_a_bound_too(seeds):
    with pytest.raises(ConfigError, match="at most 1,000 seeds"):
        seeds.as_seeds(10**12)
