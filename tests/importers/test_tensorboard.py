"""Event files that TensorBoard's writers made."""

import struct
from dataclasses import replace

import pytest

from helpers.libraries import library, without
from helpers.tracked import RUNS, accuracy, imported, loss, verdict, wanted, words
from seedwise.importers import tensorboard
from seedwise.importers.logs import Candidate

pytestmark = [pytest.mark.adapters, pytest.mark.filterwarnings("ignore")]

HINT = "pip install -r requirements-dev.txt"


@pytest.fixture
def writer():
    library("tensorboard", install=HINT)
    return library("torch.utils.tensorboard", install=HINT).SummaryWriter


def one_run(writer, folder, setup, seed, epochs=range(3), *, settings=True):
    """A run as PyTorch's writer lays it out: curves and settings lie in folders of their own."""
    with writer(folder) as run:
        for epoch in epochs:
            run.add_scalar("val/accuracy", accuracy(setup, seed, epoch), epoch)
            run.add_scalars("loss", {"val": loss(setup, seed, epoch)}, epoch)
            run.add_text("note", "x" * 100, epoch)
        if settings:
            run.add_hparams({"model": setup, "seed": seed, "lr": 0.1}, {"best": 0.5})


@pytest.fixture
def runs(writer, tmp_path):
    for setup, seed in RUNS:
        one_run(writer, tmp_path / "runs" / setup / f"seed{seed}", setup, seed)
    return tmp_path / "runs"


def logs(path):
    return list(tensorboard.IMPORTER.read(Candidate(text=str(path))))


@pytest.mark.parametrize("options", [(), ("--setup", "config.model", "--seed", "config.seed")])
def test_runs_are_read_with_their_settings_or_paths(runs, options):
    assert imported(runs, *options, "--metric", "val/accuracy=accuracy") == wanted()
    assert verdict(runs, of=("event files", "tensorboard")) == "better"
    (log,) = logs(runs / "wide" / "seed1")
    assert log.facts == {"config.model": "wide", "config.seed": "1", "config.lr": "0.1"}


def test_curves_and_settings_are_part_of_the_run_that_wrote_them(runs):
    found = logs(runs)
    assert [log.path for log in found] == [
        str(runs / setup / f"seed{seed}") for setup, seed in RUNS
    ]
    last = found[4].rows[-1]
    assert last.where == "step 2"
    assert last.cells == {
        "step": "2",
        "val/accuracy": str(accuracy("wide", 1)),
        "val/loss": str(loss("wide", 1)),
    }


def test_splits_in_folders_of_their_own_are_one_run(writer, tmp_path):
    """As Keras's callback lays them out, with scalars as TensorFlow 2 writes them."""
    for setup, seed in RUNS:
        for split in ("train", "validation"):
            with writer(tmp_path / "logs" / f"{setup}-seed{seed}" / split) as run:
                for epoch in range(3):
                    value = accuracy(setup, seed, epoch) / (1 if split == "validation" else 2)
                    run.add_scalar("epoch_accuracy", value, epoch, new_style=True)
    name = "validation/epoch_accuracy"
    assert imported(tmp_path / "logs", "--metric", f"{name}=accuracy") == pytest.approx(wanted())
    (log,) = logs(tmp_path / "logs" / "base-seed0")
    assert set(log.rows[0].cells) == {"step", name, "train/epoch_accuracy"}


def test_the_files_of_a_run_that_was_resumed_are_one_log(writer, tmp_path):
    folder = tmp_path / "run"
    one_run(writer, folder, "base", 0, range(2), settings=False)
    with writer(folder, purge_step=1) as run:  # step 1 was lost with its process
        run.add_scalar("val/accuracy", 0.5, 2)
    (log,) = logs(folder)
    values = {row["step"]: row["val/accuracy"] for row in log.rows if row["val/accuracy"]}
    assert values == {"0": str(accuracy("base", 0, 0)), "2": "0.5"}


def test_a_last_record_that_was_cut_off_is_left(writer, tmp_path):
    one_run(writer, tmp_path / "run", "base", 0, settings=False)
    (file,) = (tmp_path / "run").glob("events*")
    whole = file.read_bytes()
    for cut in (1, 15, 40):
        file.write_bytes(whole[:-cut])
        (log,) = logs(file)
        assert [row["step"] for row in log.rows][:2] == ["0", "1"]


def test_what_is_damaged_is_not_taken_for_a_number(writer, tmp_path):
    with writer(tmp_path / "run") as run:
        for step in range(3):
            run.add_scalar("accuracy", 0.25, step)
    (file,) = (tmp_path / "run").glob("events*")
    content = bytearray(file.read_bytes())
    place = content.rindex(struct.pack("<f", 0.25))
    content[place] ^= 1
    file.write_bytes(content)
    (log,) = logs(file)
    assert [row.cells for row in log.rows] == [
        {"step": str(step), "accuracy": "0.25"} for step in range(2)
    ]


def test_what_is_no_event_file_is_said_in_a_line(writer, tmp_path):
    file = tmp_path / "events.out.tfevents.1"
    file.write_bytes(b"\0" * 100)
    done = words("import", file, tmp_path / "s.db")
    assert done.exit_code == 2
    assert "is not an event file of TensorBoard" in done.output


def test_pictures_are_passed_over(writer, tmp_path, monkeypatch):
    """TensorBoard's checksum is a loop in Python: of gigabytes it would take minutes."""
    torch = library("torch", install=HINT)
    noise = torch.randint(256, (3, 700, 700), dtype=torch.uint8)
    with writer(tmp_path / "run") as run:
        run.add_image("picture", noise, 0)
        for step in range(3):
            run.add_scalar("accuracy", step / 4, step)
    (file,) = (tmp_path / "run").glob("events*")
    assert file.stat().st_size > 1e6
    known, summed = tensorboard._library(), list[int]()

    def checksum(data):
        summed.append(len(data))
        return known.checksum(data)

    monkeypatch.setattr(tensorboard, "_library", lambda: replace(known, checksum=checksum))
    (log,) = logs(file)
    assert [row["accuracy"] for row in log.rows] == ["0.0", "0.25", "0.5"]
    assert sum(summed) < 1_000


def test_gigabytes_are_passed_over(writer, tmp_path):
    """5,000 pictures of 1 MB, as holes in a file: a record's head says how long it is."""
    one_run(writer, tmp_path / "run", "base", 0, settings=False)
    (file,) = (tmp_path / "run").glob("events*")
    scalars = file.read_bytes()
    length = struct.pack("<Q", 2**20 + 1)
    head = length + struct.pack("<I", tensorboard._library().checksum(length))
    with file.open("ab") as events:
        for _ in range(5_000):
            events.write(head)
            events.truncate(events.seek(2**20 + 1 + 4, 1))
        events.write(scalars)
    assert file.stat().st_size > 5e9
    (log,) = logs(file)
    assert log.rows[-1]["val/accuracy"] == str(accuracy("base", 0))


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    without("tensorboard", monkeypatch)
    (tmp_path / "events.out.tfevents.1").write_bytes(b"")
    done = words("import", tmp_path, tmp_path / "s.db")
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert "pip install 'seedwise[tensorboard]'" in done.output
