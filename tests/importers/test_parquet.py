"""Parquet files as pyarrow and pandas write them."""

import pytest

from helpers.libraries import library, without
from helpers.tracked import RUNS, accuracy, imported, verdict, wanted, words

pytestmark = [pytest.mark.adapters, pytest.mark.filterwarnings("ignore")]

HINT = "pip install -r requirements-dev.txt"


@pytest.fixture
def write(tmp_path):
    pyarrow = library("pyarrow", install=HINT)
    parquet = library("pyarrow.parquet", install=HINT)

    def write(rows):
        parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "runs.parquet")
        return tmp_path / "runs.parquet"

    return write


def test_rows_are_runs(write):
    rows = [{"setup": s, "seed": n, "accuracy": accuracy(s, n), "note": None} for s, n in RUNS]
    file = write(rows)
    assert imported(file) == wanted()
    assert verdict(file, of=("Parquet", "pyarrow")) == "better"


def test_columns_may_be_nested(write):
    rows = [
        {"config": {"model": s, "seed": n}, "summary": {"accuracy": accuracy(s, n)}}
        for s, n in RUNS
    ]
    file = write(rows)
    options = ("--setup", "config.model", "--metric", "summary.accuracy=accuracy")
    assert imported(file, *options) == wanted()


def test_a_frame_of_pandas(tmp_path):
    pandas = library("pandas", install=HINT)
    library("pyarrow", install=HINT)
    frame = pandas.DataFrame(
        [{"setup": s, "seed": n, "accuracy": accuracy(s, n)} for s, n in reversed(RUNS)]
    )
    frame["when"] = pandas.Timestamp("2026-01-01")
    frame[frame["accuracy"] > 0].to_parquet(tmp_path / "runs.parquet")
    assert imported(tmp_path / "runs.parquet") == wanted()


def test_what_cannot_be_read_is_said_in_a_line(write, tmp_path):
    file = write([{"setup": "a", "seed": 1}])
    whole = file.read_bytes()
    for content in (whole[:-10], b"PAR1"):
        file.write_bytes(content)
        done = words("import", file, tmp_path / "s.db")
        assert (done.exit_code, done.output.count("\n")) == (2, 1)
        assert "runs.parquet cannot be read" in done.output
    done = words("import", write([]), tmp_path / "s.db")
    assert "has no rows" in done.output


def test_without_the_library_the_extra_is_named(write, tmp_path, monkeypatch):
    file = write([{"setup": "a", "seed": 1}])
    without("pyarrow", monkeypatch)
    done = words("import", file, tmp_path / "s.db")
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert "pip install 'seedwise[parquet]'" in done.output
