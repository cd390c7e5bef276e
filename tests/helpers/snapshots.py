"""Studies at one moment, made up."""

from dataclasses import replace

from seedwise.live.snapshot import (
    Interim,
    InterimDifference,
    RunNow,
    SampleNow,
    SetupNow,
    Snapshot,
)
from seedwise.records import EpochRecord


def setup(done, *, wanted=20, running=0, diverged=0, failed=0, metrics=("accuracy",)):
    samples = {name: SampleNow(n=done, mean=0.835, sd=0.0035) for name in metrics}
    return SetupNow(
        wanted=wanted,
        done=done,
        running=running,
        diverged=diverged,
        failed=failed,
        metrics=samples,
    )


def under_way(name, seed, *, epochs=5, steps=170, epoch=2):
    figures = {"train_loss": 1.5, "valid_loss": 1.25, "accuracy": 0.8, "smoothed_accuracy": 0.79}
    return RunNow(
        setup=name,
        seed=str(seed),
        epochs_planned=epochs,
        steps=steps,
        epoch=epoch if steps else 0,
        step=60 if steps else 0,
        loss=1.1 if steps else None,
        seconds=72.0,
        epochs=tuple(
            EpochRecord(epoch=each, figures={**figures, "seconds": 3.4}) for each in range(epoch)
        )
        if steps
        else (),
    )


def difference(metric="accuracy", estimate=0.0035, half=0.004):
    low, high = estimate - half, estimate + half
    return InterimDifference(metric=metric, estimate=estimate, low=low, high=high)


def interim(name="relu", *differences, pairs=11, most=20, state="early", **settings):
    usual = {"verdict": "undecided", "confidence": 0.95, "margin": None, "more": None}
    return Interim(
        setup=name,
        baseline="mish",
        pairs=pairs,
        most=most,
        state=state,
        differences=differences or (difference(),),
        **usual | settings,
    )


def logging(name, seed, epoch, **figures):
    """A run of a function that logs."""
    last = EpochRecord(epoch=epoch, figures=figures)
    return replace(under_way(name, seed, steps=0), epochs=(last,))


def snapshot(
    setups=None,
    *,
    runs=(),
    interims=(),
    stops=False,
    left=190.0,
    left_at_most=500.0,
    metric=None,
    better=None,
):
    setups = setups or {"mish": setup(12, running=1), "relu": setup(11, running=1, diverged=1)}
    done = sum(each.done for each in setups.values())
    return Snapshot(
        preparing=None,
        setups=setups,
        runs=runs,
        interims=interims,
        wanted=40,
        missing=40 - done,
        stops=stops,
        metric=metric,
        better=better or {},
        elapsed=105.0,
        left=left,
        left_at_most=left_at_most,
    )
