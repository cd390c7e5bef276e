"""What a study shows while it runs, from events that are made up."""

import io

import pytest
from rich.console import Console

from helpers.store_records import ENDED
from seedwise.cli import display
from seedwise.cli.display import _LivePicture, watching
from seedwise.comparison.study_runs import StudyRuns
from seedwise.live.ended import ended_runs
from seedwise.live.events import (
    DataProgress,
    EpochDone,
    Finished,
    Logged,
    Planned,
    RunStarted,
    RunStored,
    StepsDone,
)
from seedwise.live.progress import StudyProgress
from seedwise.records import STATES, EpochRecord, RunRecord, State
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store

STEPS = 10


def planned(setups=("mish", "relu"), wanted=4, stored=0):
    return Planned(setups=setups, wanted=wanted, stored=stored)


def started(setup, seed, epochs=2, steps=STEPS):
    return RunStarted(setup=setup, seed=Seed.of(seed), epochs=epochs, steps=steps)


def stepped(setup, seed, epoch, step):
    return StepsDone(
        setup=setup, seed=Seed.of(seed), epoch=epoch, step=step, steps=STEPS, loss=1.2345
    )


def record(epoch, accuracy=0.8352):
    return EpochRecord(
        epoch=epoch,
        figures={
            "train_loss": 1.5,
            "valid_loss": 1.25,
            "accuracy": accuracy,
            "smoothed_accuracy": accuracy - 0.01,
            "seconds": 17.2,
        },
    )


def epoch_done(setup, seed, epoch):
    return EpochDone(setup=setup, seed=Seed.of(seed), record=record(epoch))


def stored(setup, seed, accuracy=0.8352, state: State = "finished", error=None):
    metrics = {"accuracy": accuracy, "smoothed_accuracy": accuracy - 0.01}
    return RunStored(
        setup=setup,
        seed=Seed.of(seed),
        state=state,
        seconds=85.0,
        metrics=metrics if state == "finished" else {},
        error=error,
    )


def picture(events, width=80, height=24, before=()):
    """What a terminal of this size shows after the events."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=height)
    shown = _LivePicture(console, StudyProgress(lambda: before))
    for event in events:
        shown.watch(event)
    out = io.StringIO()
    Console(file=out, width=width, height=height).print(shown.render())
    return out.getvalue()


def lines(events):
    """What goes into a file after the events."""
    out = io.StringIO()
    with watching(Console(file=out, width=40)) as watch:
        for event in events:
            watch(event)
    return out.getvalue().splitlines()


BUSY = [
    planned(),
    started("mish", 0),
    started("relu", 0),
    epoch_done("mish", 0, 0),
    epoch_done("mish", 0, 1),
    stored("mish", 0, 0.83),
    started("mish", 1),
    epoch_done("mish", 1, 0),
    epoch_done("mish", 1, 1),
    stored("mish", 1, 0.84),
    stepped("relu", 0, 0, 4),
]


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_shows_setups_runs_and_the_whole(width):
    shown = picture(BUSY, width=width)
    words = [line.split() for line in shown.splitlines()]
    assert ["setup", "done", "running", "diverged", "failed", "accuracy", "smoothed_acc"] in words
    assert ["mish", "2/2", "0", "0", "0", "83.50", "±", "0.71", "82.50", "±", "0.71"] in words
    assert ["relu", "0/2", "1", "0", "0"] in words
    assert ["epoch", "train_loss", "valid_loss", "accuracy", "smoothed_acc", "time"] in words
    assert ["0", "1.2345"] in words
    assert "relu  seed 0 " in shown
    assert "2 of 4 runs" in shown
    assert max(map(len, shown.splitlines())) <= width


def test_a_running_run_shows_its_epochs_as_the_notebook_did():
    shown = picture([planned(), started("mish", 0, epochs=3), epoch_done("mish", 0, 0)])
    words = [line.split() for line in shown.splitlines()]
    assert ["0", "1.5000", "1.2500", "83.52", "%", "82.52", "%", "00:17"] in words
    assert ["1"] in words  # the epoch that is under way


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 10), (40, 24), (200, 50)])
def test_many_runs_fit_the_terminal(width, height):
    events = [planned(wanted=64)]
    for seed in range(16):
        events += [started("mish", seed), epoch_done("mish", seed, 0), stepped("mish", seed, 1, 3)]
    shown = picture(events, width=width, height=height).splitlines()
    assert len(shown) < height
    assert max(map(len, shown)) <= width
    assert "0 of 64" in shown[-1]


def test_names_are_shown_as_they_are():
    """A setup's name is data: neither markup nor a picture."""
    name = "[red]lr:bug:[/red]"
    events = [planned(setups=(name,), wanted=2), started(name, 0), stored(name, 0)]
    assert name in picture(events)
    assert any(name in line for line in lines(events))


def test_runs_that_were_stored_before_are_in_the_means(tmp_path):
    with Store.open(tmp_path / "study.db", create=True) as store:
        store.add_setup("mish", Setup())
        for seed, accuracy in enumerate((0.80, 0.90)):
            run = RunRecord(state="finished", epochs=(record(0, 0.1), record(1, accuracy)))
            store.add_run("mish", Seed.of(seed), run, ended_at=ENDED)
        failed = RunRecord(state="failed", error="out of memory")
        store.add_run("mish", Seed.of(2), failed, ended_at=ENDED)
        before = ended_runs(StudyRuns(store), ["mish"], ())
    shown = picture([planned(setups=("mish",), wanted=4, stored=2)], before=before)
    words = [line.split() for line in shown.splitlines()]
    assert ["mish", "2/4", "0", "0", "1", "85.00", "±", "7.07", "84.00", "±", "7.07"] in words
    assert "2 of 4 runs" in shown


def test_one_run_has_no_standard_deviation():
    shown = picture([planned(), started("mish", 0), stored("mish", 0, 0.83)])
    assert "83.00" in shown
    assert "±" not in shown


def test_diverged_and_failed_runs_are_counted_apart():
    events = [planned(setups=("mish",), wanted=4)]
    for seed, state in enumerate(STATES):
        events += [started("mish", seed), stored("mish", seed, state=state, error="why")]
    words = [line.split() for line in picture(events).splitlines()]
    assert ["mish", "2/4", "0", "1", "1", "83.52", "82.52"] in words


def test_data_is_shown_while_it_is_made_ready():
    decoding = DataProgress(what="decoding images", done=250, total=1000)
    assert "decoding images" in picture([decoding])
    assert "25 %" in picture([decoding])
    done = DataProgress(what="decoding images", done=1000, total=1000)
    assert "decoding" not in picture([decoding, done, planned()])


def test_without_a_terminal_there_is_a_line_for_each_epoch_and_run():
    shown = lines(
        [
            DataProgress(what="decoding images", done=1, total=1000),
            DataProgress(what="decoding images", done=500, total=1000),
            DataProgress(what="decoding images", done=1000, total=1000),
            planned(setups=("mish",), wanted=3, stored=1),
            started("mish", 1),
            stepped("mish", 1, 0, 4),
            epoch_done("mish", 1, 0),
            stored("mish", 1),
            started("mish", 2),
            stored("mish", 2, state="failed", error="Traceback:\n  line 3\nValueError: no [x]"),
            Finished(stored=1, failed=1),
        ]
    )
    assert shown[:-1] == [
        "decoding images: 1 of 1,000",
        "decoding images: 1,000 of 1,000",
        "1 setup, 3 runs: 1 stored, 2 to make",
        "mish  seed 1  epoch 0  train_loss 1.5000  valid_loss 1.2500  accuracy 83.52 %  "
        "smoothed_acc 82.52 %  time 00:17",
        "mish  seed 1  finished  accuracy 83.52 %  smoothed_accuracy 82.52 %  01:25",
        "mish  seed 2  failed  01:25  ValueError: no [x]",
    ]
    assert shown[-1].startswith("1 run stored, failed tries: 1, in 00:0")


def test_without_a_terminal_a_function_s_figures_have_a_line_now_and_then(monkeypatch):
    clock = 0.0
    monkeypatch.setattr(display.time, "monotonic", lambda: clock)
    out = io.StringIO()
    with watching(Console(file=out, width=40)) as watch:
        watch(planned(setups=("mish",), wanted=1))
        watch(started("mish", 1, epochs=0, steps=0))
        for second in range(40):
            clock = float(second)
            last = EpochRecord(epoch=second, figures={"wer": 1 / (1 + second)})
            watch(Logged(setup="mish", seed=Seed.of(1), record=last))
    assert out.getvalue().splitlines()[1:] == [
        "mish  seed 1  epoch 10  wer 0.09091",
        "mish  seed 1  epoch 20  wer 0.04762",
        "mish  seed 1  epoch 30  wer 0.03226",
    ]


def test_a_terminal_keeps_a_line_for_each_stored_run():
    out = io.StringIO()
    with watching(Console(file=out, force_terminal=True, width=100, height=30)) as watch:
        for event in (*BUSY, Finished(stored=2, failed=0)):
            watch(event)
    shown = out.getvalue()
    assert "mish  seed 1  finished  accuracy 84.00 %" in shown
    assert "2 runs stored in 00:00" in shown


def test_time_left_follows_the_pace_of_this_call():
    """Two of six runs were there; one run takes 100 s, and half of the second is done."""
    progress = StudyProgress()
    progress.take(planned(setups=("mish",), wanted=6, stored=2), 1000.0)
    assert progress.snapshot(1005.0).left is None
    progress.take(started("mish", 2), 1010.0)
    progress.take(stored("mish", 2), 1110.0)
    progress.take(started("mish", 3), 1110.0)
    progress.take(epoch_done("mish", 3, 0), 1160.0)
    now = progress.snapshot(1160.0)
    assert now.share_done == pytest.approx((2 + 1 + 0.5) / 6)
    assert now.left == pytest.approx(2.5 * 100)
    assert now.elapsed == 160


def test_a_late_word_of_a_run_that_was_lost_is_let_go():
    progress = StudyProgress()
    for event in (planned(wanted=2), started("mish", 0), stored("mish", 0, state="failed")):
        progress.take(event, 0.0)
    for event in (stepped("mish", 0, 0, 3), epoch_done("mish", 0, 0)):
        progress.take(event, 1.0)
    assert progress.snapshot(1.0).runs == ()


def test_diverged_figures_are_in_no_mean():
    progress = StudyProgress()
    bad = RunStored(
        setup="mish",
        seed=Seed.of(1),
        state="diverged",
        seconds=1.0,
        metrics={"accuracy": float("nan")},
        error="why",
    )
    for event in (planned(wanted=4), stored("mish", 0, 0.8), bad):
        progress.take(event, 0.0)
    mish = progress.snapshot(0.0).setups["mish"]
    assert (mish.done, mish.diverged, mish.metrics["accuracy"].mean) == (2, 1, 0.8)


def test_a_try_that_failed_is_still_to_be_done():
    progress = StudyProgress()
    for event in (planned(wanted=2), started("mish", 0), stored("mish", 0, state="failed")):
        progress.take(event, 0.0)
    now = progress.snapshot(0.0)
    assert now.missing == 2
    assert now.share_done == 0
    assert now.setups["mish"].running == 0


def test_a_run_whose_steps_nobody_knows_counts_when_it_is_stored():
    progress = StudyProgress()
    progress.take(planned(wanted=2), 0.0)
    progress.take(started("mish", 0, epochs=0, steps=0), 0.0)
    assert progress.snapshot(0.0).share_done == 0
    progress.take(stored("mish", 0), 10.0)
    now = progress.snapshot(10.0)
    assert now.share_done == 0.5
    assert now.left == pytest.approx(10)
