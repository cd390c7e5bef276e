"""study.toml: what it may say, and what is said about what it may not."""

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seedwise.comparison import Stop
from seedwise.comparison.rule import Rule
from seedwise.crops import as_crops
from seedwise.data import Split
from seedwise.errors import ConfigError
from seedwise.seeds import Seed
from seedwise.setups import FIELDS, RECIPES, Setup
from seedwise.study import LocalExecutor, RayExecutor
from seedwise.study.config import StudyConfig, load_study
from seedwise.study.seeding import parse_seeds

WHOLE = """
dataset = "imagenette"
split = "page"
seeds = 10
baseline = "mish"

[setups.mish]

[setups.relu]
extends = "mish"
activation = "relu"

[setups.fast-relu]
extends = "relu"
lr = 8e-3
betas = [0.9, 0.999]
epochs = 1
"""


@pytest.fixture
def load(tmp_path):
    def load(text):
        file = tmp_path / "study.toml"
        file.write_text(text)
        return load_study(file)

    return load


@pytest.fixture
def refusal(load):
    """The one line that is said of a study.toml, without the file's name, which must lead it."""

    def refusal(text):
        with pytest.raises(ConfigError) as caught:
            load(text)
        message = str(caught.value)
        assert "\n" not in message
        folder, file, rest = message.partition("study.toml")
        assert Path(folder).is_dir()
        assert file
        return rest.removeprefix(":").strip()

    return refusal


def with_setup(line):
    return f'dataset = "digits"\nseeds = 2\n[setups.relu]\n{line}\n'


def test_a_study_in_place_of_its_study_toml_is_told(tmp_path):
    file = tmp_path / "study.db"
    file.write_bytes(b"SQLite format 3\0" + bytes(84))
    with pytest.raises(ConfigError, match=r"name the study\.toml that says what to run"):
        load_study(file)


def with_line(line):
    return f'dataset = "digits"\n{line}\n[setups.mish]\n'


def test_the_design_page_example_says_what_it_says(load):
    study = load(WHOLE)
    assert study == StudyConfig(
        store=Path("study.db"),
        dataset="imagenette",
        source=None,
        split=Split.of("page"),
        setups=study.setups,
        seeds=tuple(Seed.of(i) for i in range(10)),
        stop=None,
        baseline="mish",
        rule=None,
        executor=LocalExecutor(),
    )
    relu = Setup(activation="relu")
    assert dict(study.setups) == {
        "mish": Setup(),
        "relu": relu,
        "fast-relu": relu.but(lr=8e-3, betas=(0.9, 0.999), epochs=1),
    }
    assert list(study.setups) == ["mish", "relu", "fast-relu"]


def test_views_are_crops_by_number_or_by_name(load):
    assert load(with_line("seeds = 2")).views is None
    assert load(with_line("seeds = 2\nviews = 10")).views == as_crops(10)
    assert load(with_line('seeds = 2\nviews = ["centre", "corners"]')).views == as_crops(10)


def test_views_need_a_setup_that_is_trained_here(refusal):
    said = refusal('seeds = 2\nviews = 10\n[setups.own]\ntrain = "mine:train"')
    assert said == "views are made by the built-in training, and no setup here is trained by it"


def test_a_setup_may_extend_one_that_stands_below_it(load):
    study = load(with_setup('extends = "b"\n[setups.b]\nlr = 0.5'))
    assert study.setups["relu"].lr == 0.5


def test_a_setup_may_extend_a_recipe(load):
    assert load(with_setup('extends = "page-v2"')).setups["relu"] == RECIPES["page-v2"].setup


def test_a_setup_may_have_the_name_of_the_recipe_that_it_extends(load):
    text = (
        'dataset = "digits"\nseeds = 2\n'
        '[setups.page-v2]\nextends = "page-v2"\nlr = 0.5\n'
        '[setups.b]\nextends = "page-v2"\n'
        "[setups.page-v1]\nlr = 0.25\n[setups.c]\n"
    )
    study = load(text)
    assert study.setups["page-v2"] == RECIPES["page-v2"].setup.but(lr=0.5)
    assert study.setups["b"].lr == 0.5  # the file's own comes first
    assert study.setups["page-v1"].lr == 0.25
    assert study.setups["c"] == Setup()  # nothing said: the recipe


def test_every_field_of_a_setup_may_be_said(load):
    text = {
        str: lambda value: f'"{value}"',
        bool: lambda value: str(value).lower(),
        tuple: list,
        float: repr,
        int: repr,
    }
    setup = RECIPES["page-v2"].setup.but(pixels=160)
    lines = [
        f"{name} = {text[type(value)](value)}"
        for name in FIELDS
        if (value := getattr(setup, name)) is not None
    ]
    assert len(lines) == len(fields(Setup)) - 1  # `code` is not for people to say
    assert load(with_setup("\n".join(lines))).setups["relu"] == setup


def test_an_executor_is_a_name_or_a_table(load):
    assert load(with_line("seeds = 2\nexecutor = 'ray'")).executor == RayExecutor()
    packed = load(with_line("seeds = 2\nexecutor = {kind = 'local', jobs = 8, pack = 4}"))
    assert packed.executor == LocalExecutor(workers=8, pack=4)
    study = load(
        'dataset = "digits"\nseeds = 2\n[setups.a]\n'
        '[executor]\nkind = "ray"\naddress = "auto"\njobs = 8\ngpus = 0.5\ntime_limit = 600'
    )
    assert study.executor == RayExecutor(address="auto", workers=8, gpus=0.5, time_limit=600)


def test_a_stopping_rule_instead_of_seeds(load):
    study = load(
        'dataset = "digits"\n[setups.a]\n[stop]\ndifference = 0.005\nalpha = 0.01\nmax_runs = 40'
    )
    assert study.seeds is None
    assert study.stop == Stop(difference=0.005, alpha=0.01, power=0.8, max_runs=40)
    unpaired = load('dataset = "digits"\n[setups.a]\n[stop]\ndifference = 0.005\npaired = false')
    assert unpaired.stop == Stop(difference=0.005, paired=False)


def test_the_rule_of_verdicts_may_be_said(load):
    assert load(with_line("seeds = 2")).rule is None
    table = '[verdict]\nmetric = "smoothed_accuracy:beta=10"\nmargin = 0.005\npaired = false'
    assert load(with_line(f"seeds = 2\n{table}")).rule == Rule(
        metric="smoothed_accuracy:beta=10", margin=0.005, paired=False
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("margn = 1", "verdict.margn: unknown key 'margn'; did you mean 'margin'?"),
        ("margin = '0.1'", "verdict.margin must be a difference of accuracy, e.g. 0.005"),
        ("margin = true", "verdict.margin must be a difference of accuracy, e.g. 0.005"),
        ("margin = -1", "verdict: margin must be above 0, got -1"),
        ("confidence = 95", "verdict: confidence must be between 0 and 1, got 95"),
        ("paired = 1", "verdict.paired must be true or false, got 1"),
        ("metric = 3", "verdict.metric must be the name of a metric"),
        ("metric = 'accuracy:view=x'", "verdict: unknown setting of accuracy 'view'; did you"),
    ],
)
def test_a_wrong_rule_is_named_with_what_is_allowed(refusal, line, message):
    assert refusal(with_line(f"seeds = 2\n[verdict]\n{line}")).startswith(message)


def test_a_rule_is_a_table(refusal):
    assert refusal(with_line("seeds = 2\nverdict = 3")).startswith("verdict must be a table")


def test_paths_start_from_the_folder_of_the_file(load, tmp_path):
    (tmp_path / "mine").mkdir()
    study = load('dataset = "mine"\nsource = "images.tar"\nseeds = 2\n[setups.a]')
    assert study.dataset == str(tmp_path / "mine")
    assert study.source == str(tmp_path / "images.tar")


def test_no_dataset_is_needed_where_no_setup_uses_the_built_in_training(load):
    study = load('seeds = 2\n[setups.a]\ntrain = "mine:train"')
    assert study.dataset is None


@pytest.mark.parametrize(
    ("line", "seeds"),
    [
        ("seeds = 3", "0 1 2"),
        ('seeds = "3"', "0 1 2"),
        ('seeds = "2:5"', "2 3 4"),
        ("seeds = [7]", "7"),
        ("seeds = [3, 1]", "3 1"),
        ('seeds = [0, "1/2/3"]', "0 1/2/3"),
        ('seeds = "0:2, 9, 1/1/2"', "0 1 9 1/1/2"),
        ('seeds = "4,"', "4"),
    ],
)
def test_seeds_are_a_number_a_range_or_a_list(load, line, seeds):
    assert " ".join(map(str, load(with_line(line)).seeds)) == seeds


@pytest.mark.parametrize(
    "text", ["", "x", "0", "3:3", "5:2", "-1", "1:x", "1,1", "0:3,2", "1/2", "0:200000", "9" * 30]
)
def test_seeds_that_mean_nothing_are_refused(text):
    with pytest.raises(ConfigError, match="seed"):
        parse_seeds(text)


@given(st.sets(st.integers(0, 2**63 - 1), min_size=1, max_size=5))
def test_seeds_that_are_written_are_read(numbers):
    seeds = [Seed.of(number) for number in numbers]
    assert list(parse_seeds(",".join(map(str, seeds)) + ",")) == seeds


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("lr = 'fast'", "setups.relu.lr must be a number above 0, got 'fast'"),
        ("lr = 0", "setups.relu.lr must be a number above 0, got 0"),
        ("lr = nan", "setups.relu.lr must be a number above 0, got nan"),
        ("epochs = 2.5", "setups.relu.epochs must be a whole number, 1 or more, got 2.5"),
        ("self_attention = 1", "setups.relu.self_attention must be true or false, got 1"),
        ("betas = 0.9", "setups.relu.betas must be two numbers, each from 0 to below 1, got 0.9"),
        ("activation = 3", "setups.relu.activation must be one of gelu, leaky_relu, mish"),
        (
            "activation = 'rleu'",
            "setups.relu.activation: unknown activation 'rleu'; did you mean 'relu'? Known: gelu",
        ),
        ("learning_rate = 1", "setups.relu.learning_rate: unknown key 'learning_rate'; known: "),
        ("batchsize = 3", "setups.relu.batchsize: unknown key 'batchsize'; did you mean"),
        (
            "train = 'mine.train'",
            "setups.relu.train must be \"module:function\", got 'mine.train'",
        ),
        (
            "extends = 'page-v3'",
            "setups.relu.extends: unknown setup or recipe 'page-v3'; did you mean 'page-v2'?",
        ),
        ("extends = 3", "setups.relu.extends: unknown setup or recipe '3'; known: page-v1"),
        ("extends = 'relu'", "setups.relu.extends: setups extend each other in a circle: relu ->"),
        (
            "extends = 'b'\n[setups.b]\nextends = 'c'\n[setups.c]\nextends = 'b'",
            "setups.b.extends: setups extend each other in a circle: b -> c -> b",
        ),
        ("[setups.'']", "setups: a setup needs a printable name, got ''"),
        ('[setups."a\\nb"]', "setups: a setup needs a printable name, got 'a\\nb'"),
    ],
)
def test_a_wrong_setup_is_named_with_what_is_allowed(refusal, line, message):
    assert refusal(with_setup(line)).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds = 1\n[setups.a]", "dataset is missing, and setups.a trains on one; add e.g."),
        (
            'dataset = "imagenete"\nseeds = 1\n[setups.a]',
            "dataset: unknown dataset (and no such folder or archive) 'imagenete'; did you mean "
            "'imagenette'?",
        ),
        (f'dataset = "{"x" * 5000}"\nseeds = 1\n[setups.a]', "dataset: unknown dataset"),
        ("dataset = 3\nseeds = 1\n[setups.a]", "dataset must be text in quotes, got 3"),
        ('dataset = "digits"\nseeds = 1', "setups: at least one is needed"),
        ('dataset = "digits"\nseeds = 1\nsetups = 1', "setups: at least one is needed"),
        ('dataset = "digits"\nseeds = 1\nsetups.a = 1', "setups.a must be a table"),
        (
            'dataset = "digits"\n[setups.a]',
            "give either seeds, e.g. seeds = 10, or a table [stop]",
        ),
        (
            'dataset = "digits"\nseeds = 3\n[setups.a]\n[stop]\ndifference = 0.1',
            "give either seeds, e.g. seeds = 10, or a table [stop]; both are there",
        ),
        ('datset = "digits"', "datset: unknown key 'datset'; did you mean 'dataset'?"),
        (
            with_line("seeds = 2\nsplit = 'pages'"),
            "split: unknown split 'pages'; did you mean",
        ),
        (with_line("seeds = 2\nviews = 3"), "views: views must be 2, 4, 10 or 16, or a list of"),
        (with_line("seeds = 2\nviews = ['corners']"), "views: views need the centre"),
        (with_line("seeds = 2\nviews = ['center']"), "views: unknown crop 'center'; did you mean"),
        (with_line("seeds = 2\nsplit = 250"), "split must be a name or { per_class = 250, seed ="),
        (with_line("seeds = 2\nsplit = {per_class = 0, seed = 1}"), "split: a split needs a name"),
        (
            with_line("seeds = 2\nsplit = {per_clas = 1}"),
            "split: unknown split key 'per_clas'",
        ),
        (with_line("seeds = 2\nbaseline = 'mush'"), "baseline: unknown setup 'mush'"),
        (
            with_line("seeds = 2\nexecutor = 'rai'"),
            "executor: unknown executor 'rai'; did you mean",
        ),
        (with_line("seeds = 2\nexecutor = 3"), "executor: executor must be a name or a table"),
        (
            with_line("seeds = 2\nexecutor = {kind = 'local', gpus = 2}"),
            "executor: unknown key of executor local 'gpus'; "
            "known: devices, jobs, kind, pack, time_limit",
        ),
        (
            with_line("seeds = 2\nexecutor = {kind = 'local', pack = 0}"),
            "executor: pack must be auto, or 1 or more, got 0",
        ),
        (
            with_line("seeds = 2\nexecutor = {kind = 'local', pack = 'many'}"),
            "executor: pack must be auto, or 1 or more, got 'many'",
        ),
        (
            with_line("seeds = 2\nexecutor = {kind = 'ray', pack = 'many'}"),
            "executor: pack must be auto, or 1 or more, got 'many'",
        ),
        (
            with_line("seeds = 2\nexecutor = {kind = 'ray', gpus = '1'}"),
            "executor: gpus must be a number of GPUs, 0 or more, e.g. 0.5, got '1'",
        ),
        (
            with_line("seeds = 2\nexecutor = {kind = 'ray', jobs = 0}"),
            "executor: jobs must be 1 or more, got 0",
        ),
        (
            with_line("seeds = 2\nexecutor = {kind = 'ray', address = 'ray://head:10001'}"),
            "executor: address 'ray://head:10001' is of Ray's client",
        ),
        (
            with_line("seeds = 0"),
            'seeds must be a number, "0:10", or a list like [1, 2, 7]',
        ),
        (with_line("seeds = true"), 'seeds must be a number, "0:10", or a list like [1, 2, 7]'),
        (with_line("seeds = 1.5"), 'seeds must be a number, "0:10", or a list like [1, 2, 7]'),
        (with_line("seeds = []"), "seeds: at least one seed is needed, got []"),
        (with_line("seeds = [1, 1]"), "seeds: seed 1 is listed twice; name each seed once"),
        (
            with_line("seeds = [-1]"),
            "seeds: a seed must be an integer from 0 to 2**63 - 1",
        ),
        (with_line("seeds = '0:x'"), "seeds: seeds are written 10, 0:10 or 1,2,7, at most"),
        (with_line("seeds = 1000000"), "seeds: seeds are written 10, 0:10 or 1,2,7, at most"),
        (with_setup("[stop]"), "give either seeds"),
        (f"{'a.' * 2000}b = 1", "a: unknown key 'a'"),
        ("x = " + "[" * 5000, "is nested too deeply to be read"),
    ],
)
def test_a_wrong_study_is_named_with_what_is_allowed(refusal, text, message):
    assert refusal(text).startswith(message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "stop.difference is missing; add e.g. difference = 0.005"),
        (
            "difference = 0.5\nmax_run = 3",
            "stop.max_run: unknown key 'max_run'",
        ),
        ("difference = 1.5", "stop.difference must be a fraction above 0 and below 1"),
        ("difference = '1'", "stop.difference must be a fraction above 0 and below 1"),
        ("difference = 0.1\nalpha = true", "stop.alpha must be a rate above 0 and below 0.5"),
        ("difference = 0.1\npower = nan", "stop.power must be a rate above 0 and below 1"),
        ("difference = 0.1\nmax_runs = 2", "stop.max_runs must be a whole number, 3 or more"),
        ("difference = 0.1\nmax_runs = 4.0", "stop.max_runs must be a whole number, 3 or more"),
        ("difference = 0.1\npaired = 0", "stop.paired must be true or false, got 0"),
    ],
)
def test_a_wrong_stopping_rule_is_named_with_what_is_allowed(refusal, line, message):
    assert refusal(f'dataset = "digits"\n[setups.a]\n[stop]\n{line}').startswith(message)


def test_broken_toml_is_told_with_its_line(refusal):
    assert "line 2" in refusal('dataset = "digits"\nseeds = = 3')
    assert refusal("x = 1\nx = 2").startswith("is not valid TOML: ")
    assert refusal(f"x = {'9' * 5000}").startswith("is not valid TOML: ")


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml cannot be read: No such file"):
        load_study(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_study(tmp_path)
    latin = tmp_path / "latin.toml"
    latin.write_bytes('dataset = "café"'.encode("latin-1"))
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_study(latin)


def test_a_very_long_chain_of_setups_is_refused_or_read(load):
    links = "\n".join(f"[setups.s{i}]\nextends = 's{i + 1}'" for i in range(3000))
    with pytest.raises(ConfigError, match="extend one another too deeply"):
        load(f'dataset = "digits"\nseeds = 2\n{links}\n[setups.s3000]')


values = st.sampled_from(
    ["1", "-1", "0.5", "true", '"page"', '"mish"', "[]", "[1, 2]", "{a = 1}", "nan", "1979-05-27"]
)
keys = st.sampled_from(
    ["dataset", "source", "split", "seeds", "baseline", "executor", "stop", "setups", "views", "x"]
)


@given(
    st.dictionaries(keys, values, max_size=4),
    st.dictionaries(st.sampled_from(["lr", "extends", "betas", "model", "train", "x"]), values),
)
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_whatever_a_file_says_is_read_or_refused_in_one_line(tmp_path_factory, top, setup):
    lines = [f"{key} = {value}" for key, value in top.items()]
    if "setups" not in top:
        lines += ["[setups.a]", *(f"{key} = {value}" for key, value in setup.items())]
    text = "\n".join(lines)
    tomllib.loads(text)
    file = tmp_path_factory.mktemp("fuzz") / "study.toml"
    file.write_text(text)
    try:
        study = load_study(file)
    except ConfigError as error:
        message = str(error)
        assert "\n" not in message
        assert message.startswith(str(file))
    else:
        assert study.setups
