"""What a terminal shows of a study at one moment, on terminals of many sizes."""

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from helpers.snapshots import difference, interim, logging, setup, snapshot, under_way
from seedwise.cli.interims import interim_line
from seedwise.cli.picture import picture
from seedwise.live.snapshot import InterimDifference


def shown(now, width=80, height=24, **settings):
    out = io.StringIO()
    found = picture(now, width=width, height=height, **settings)
    Console(file=out, width=width, height=height).print(found)
    return out.getvalue().splitlines()


def line(text, lines):
    (found,) = (each for each in lines if text in each)
    return found


@pytest.mark.parametrize("width", [80, 200])
def test_fixed_seeds_show_the_interval_as_a_look_before_the_end(width):
    two = (difference("matched_accuracy"), difference("accuracy", 0.002, 0.01))
    lines = shown(snapshot(interims=(interim("relu", *two),)), width)
    assert "- mish" in line("metric", lines)
    row = line("matched", lines)
    assert row.split()[:4] == ["relu", "matched", "+0.35", "[-0.05,"]
    assert row.rstrip().endswith("11 of 20")
    assert line("accuracy  +", lines).split()[:3] == ["accuracy", "+0.20", "[-0.80,"]
    assert "interim: no verdict" in line("95 % interval", lines)
    assert "23 of 40 runs" in lines[-1]
    assert "about 03:10 left" in lines[-1]


@pytest.mark.parametrize("width", [80, 200])
def test_a_rule_shows_how_near_it_is(width):
    rule = {"margin": 0.005, "confidence": 0.975}
    interims = (
        interim("relu", state="running", more=9, **rule),
        interim("gelu", state="running", more=None, **rule),
        interim("swish", state="decided", verdict="worse", pairs=8, **rule),
        interim("elu", state="futile", pairs=14, **rule),
    )
    setups = {name: setup(11, wanted=None) for name in ("mish", "relu", "gelu", "swish", "elu")}
    lines = shown(snapshot(setups, interims=interims, stops=True), width, 30)
    ends = {row.split()[0]: row for row in lines if "accuracy  +" in row}
    assert ends["relu"].rstrip().endswith("11 of 20, ~9 more")
    assert ends["gelu"].rstrip().endswith("11 of 20, not near")
    assert ends["swish"].rstrip().endswith("worse after 8")
    assert ends["elu"].rstrip().endswith("undecided (futile) after 14")
    assert "clear of 0, or within ±0.50" in line("97.5 % at every look", lines)
    assert lines[-1].endswith("55 runs of at most 40, 01:45 gone, about 03:10 left at this rate")


def test_without_an_estimate_the_cap_says_how_long_it_may_take():
    now = snapshot(interims=(interim(state="running"),), stops=True, left=None)
    assert shown(now)[-1].endswith("at most 08:20 left")
    assert shown(replace(now, left_at_most=None))[-1].endswith("stops when decided")


def test_the_first_pairs_have_no_interval_and_show_none():
    first = InterimDifference(metric="accuracy", estimate=0.003, low=-math.inf, high=math.inf)
    row = line("+0.30", shown(snapshot(interims=(interim("relu", first, pairs=1),))))
    assert "inf" not in row
    assert "─" not in row


@pytest.mark.parametrize(
    ("estimate", "half"), [(0.01, 0.004), (-0.01, 0.004), (0.0, 0.003), (0.002, 0.02)]
)
def test_a_drawn_interval_lies_as_its_numbers_do(estimate, half):
    found = interim("relu", difference("accuracy", estimate, half), margin=0.005)
    row = line("accuracy  ", shown(snapshot(interims=(found,)), 200))
    left, right = (row.index("┊"), row.rindex("┊"))
    zero = (left + right) // 2
    assert row[zero] in "│●"
    assert math.copysign(1, row.index("●") - zero) == math.copysign(1, estimate) or not estimate
    drawn = [place for place, char in enumerate(row) if char in "─●" and place > 40]
    assert (min(drawn) < zero) == (estimate - half < 0)
    assert (max(drawn) > zero) == (estimate + half > 0)
    assert (max(drawn) > right) == (estimate + half > 0.005)


def test_all_intervals_are_drawn_on_one_axis():
    found = [
        interim("relu", difference("matched_accuracy"), difference(), margin=0.005),
        interim("gelu", difference("accuracy", -0.02, 0.003), margin=0.005),
    ]
    for width in (80, 120):
        lines = shown(snapshot(interims=tuple(found)), width)
        start = lines.index(line("- mish", lines))
        assert len({row.index("│") for row in lines[start : start + 4]}) == 1
        assert len({row.index("┊") for row in lines[start + 1 : start + 4]}) == 1


def test_other_metrics_than_accuracy_are_shown_in_their_own_units():
    setups = {name: setup(3, metrics=("f1",)) for name in ("forest", "boosting")}
    runs = (under_way("forest", 3, steps=0), under_way("boosting", 2, steps=0))
    found = interim("boosting", difference("f1", 0.0177, 0.1), pairs=2)
    lines = shown(snapshot(setups, runs=runs, interims=(found,)))
    assert lines[0].split()[-2:] == ["f1", "↑"]
    assert line("forest ", lines[1:2]).split()[-3:] == ["0.835", "±", "0.0035"]
    assert "+0.0177 [-0.0823, +0.1177]" in "\n".join(lines)
    assert "under way: forest seed 3 for 01:12, boosting seed 2 for 01:12" in lines


@pytest.mark.parametrize("width", [60, 80, 200])
def test_runs_that_log_show_their_last_figures_and_the_metric_that_decides_first(width):
    setups = {name: setup(3, metrics=("accuracy", "wer")) for name in ("small", "large")}
    runs = (
        logging("small", 3, 12, train_loss=0.51239, accuracy=0.7125, wer=0.25),
        logging("large", 2, 2.5, wer=math.nan),
        under_way("large", 3, steps=0),
    )
    lines = shown(snapshot(setups, runs=runs, metric="wer"), width)
    heads = lines[0].split()
    assert heads[5:] == (["wer", "↓"] if width < 76 else ["wer", "↓", "accuracy"])
    table = lines.index(line("epoch", lines))
    assert lines[table].split() == ["run", "epoch", "wer", "accuracy", "train_loss", "time"]
    cells = [row.split() for row in lines[table + 1 : table + 4]]
    assert cells[0] == ["small", "3", "12", "0.25", "71.25", "%", "0.5124", "01:12"]
    assert cells[1] == ["large", "2", "2.50", "-", "01:12"]
    assert cells[2] == ["large", "3", "01:12"]
    assert max(map(len, lines)) <= width


def test_a_metric_points_where_the_study_says():
    setups = {"small": setup(3, metrics=("score",))}
    heads = [
        shown(snapshot(setups, better=better))[0].split()[5:]
        for better in ({}, {"score": "lower"}, {"score": "higher"})
    ]
    assert heads == [["score"], ["score", "↓"], ["score", "↑"]]


def test_nothing_is_promised_of_functions_that_have_told_nothing():
    now = snapshot({"small": setup(0, metrics=())}, runs=(under_way("small", 3, steps=0),))
    assert shown(now)[0].split() == ["setup", "done", "running", "diverged", "failed"]
    now = snapshot({"small": setup(0, metrics=())}, runs=(logging("small", 3, 1, wer=0.5),))
    assert shown(now)[0].split()[5:] == []
    assert line("epoch", shown(now)).split() == ["run", "epoch", "wer", "time"]


@pytest.mark.parametrize(("width", "height"), [(40, 24), (60, 16), (80, 10), (80, 24), (200, 50)])
@pytest.mark.parametrize("going", [1, 16])
@pytest.mark.parametrize("counted", [0, 3])
def test_runs_that_log_a_lot_fit(width, height, going, counted):
    figures = {f"a_figure_with_a_long_name_{number}": 0.5 for number in range(40)}
    runs = [logging("a-setup-with-a-long-name", seed, 3, **figures) for seed in range(going)]
    runs += [under_way("mish", seed) for seed in range(counted)]
    lines = shown(snapshot(runs=tuple(runs)), width, height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert "23 of 40" in lines[-1]
    if height >= 24 and going == 1:
        assert "a-setup" in line("01:12", lines[:7])


def test_a_figure_s_name_commands_no_terminal():
    runs = (logging("small", 3, 1, **{"[red]\x1b[2J": 0.5}),)
    assert "[red]\\x1b[2J" in "\n".join(shown(snapshot(runs=runs)))


def test_clocks_go_on_between_two_words_of_the_process():
    now = snapshot(runs=(under_way("mish", 1, steps=0),))
    lines = shown(now, age=20.0)
    assert "02:05 gone, about 02:50 left" in lines[-1]
    assert "mish seed 1 for 01:32" in line("under way", lines)
    assert shown(now, clocks=False)[-1].rstrip().endswith("58 %")


@pytest.mark.parametrize(("width", "height"), [(40, 24), (60, 16), (80, 10), (80, 24), (200, 50)])
@pytest.mark.parametrize("setups", [2, 7, 40])
@pytest.mark.parametrize("going", [0, 1, 16])
def test_whatever_there_is_fits(width, height, setups, going):
    names = [f"a-setup-with-a-long-name-{number}" for number in range(setups)]
    two = (difference("matched_accuracy"), difference("accuracy", -0.02))
    now = snapshot(
        {name: setup(1, metrics=("accuracy", "smoothed_accuracy")) for name in names},
        runs=tuple(under_way(names[0], seed) for seed in range(going)),
        interims=tuple(interim(name, *two) for name in names[1:]),
    )
    lines = shown(now, width, height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert f"{setups} of 40" in lines[-1]
    assert lines[1].startswith("a-setup") or width < 60


def test_a_line_says_it_all_for_a_log():
    two = (difference("matched_accuracy"), difference("accuracy", 0.002, 0.01))
    assert interim_line(interim("relu", *two)) == (
        "relu - mish: matched +0.35 [-0.05, +0.75], accuracy +0.20 [-0.80, +1.20]; "
        "11 of 20 pairs, interim"
    )
    near = interim("relu", state="running", most=None, more=2)
    assert interim_line(near).endswith("; 11 pairs, ~2 more")
