"""Logs that training libraries wrote, read without these libraries."""

import shutil

import pytest

from helpers.libraries import library
from helpers.tracked import RUNS, SETUPS, accuracy, imported, verdict, wanted

pytestmark = [
    pytest.mark.adapters,
    pytest.mark.slow,  # each library trains six times
    pytest.mark.filterwarnings("ignore"),
]

HINT = "pip install -r requirements-adapters.txt"


@pytest.fixture(scope="module")
def lightning(tmp_path_factory):
    """Lightning's CSVLogger: lightning_logs/base/version_0/metrics.csv, hparams.yaml beside it."""
    lightning = library("lightning.pytorch", install=HINT)
    torch = library("torch", install=HINT)

    class Module(lightning.LightningModule):
        def __init__(self, model, seed):
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch):
            loss = self.layer(batch).square().mean()
            self.log("train_loss", loss)
            return loss

        def validation_step(self, _):
            if not self.trainer.sanity_checking:
                self.log("accuracy", accuracy(*self.hparams.values(), self.current_epoch))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    top = tmp_path_factory.mktemp("lightning")
    rows = torch.utils.data.DataLoader(torch.ones(8, 1), batch_size=4)
    for setup, seed in RUNS:
        logger = lightning.loggers.CSVLogger(top, name=setup)
        trainer = lightning.Trainer(
            max_epochs=3,
            logger=logger,
            log_every_n_steps=1,
            accelerator="cpu",
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Module(setup, seed), rows, rows)
    return top


def test_lightning_by_its_hyperparameters(lightning):
    options = ("--setup", "config.model", "--metric", "accuracy")
    assert imported(lightning, *options) == pytest.approx(wanted())
    assert verdict(lightning, of=("CSVLogger", "lightning")) == "better"
    assert imported(lightning, *options, "--best", "accuracy") == pytest.approx(wanted(epoch=1))


def test_lightning_by_its_folders(lightning):
    layout = "{setup}/version_{seed}"
    assert imported(lightning, "--layout", layout, "--metric", "accuracy") == pytest.approx(
        wanted()
    )


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """Keras's CSVLogger: a file for each run, named as people name them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "torch")
        keras = library("keras", install=HINT)
    np = library("numpy", install=HINT)

    class Scripted(keras.callbacks.Callback):
        def __init__(self, run):
            super().__init__()
            self.run = run

        def on_epoch_end(self, epoch, logs=None):
            logs["val_accuracy"] = accuracy(*self.run, epoch)

    top = tmp_path_factory.mktemp("keras") / "logs"
    top.mkdir()
    for setup, seed in RUNS:
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        log = keras.callbacks.CSVLogger(top / f"{setup}_seed{seed}.csv")
        data = np.ones((8, 1), np.float32)
        model.fit(data, data, epochs=3, verbose=0, callbacks=[Scripted((setup, seed)), log])
    return top


def test_keras_by_its_file_names(keras):
    assert imported(keras, "--metric", "val_accuracy=accuracy") == wanted()
    assert verdict(keras, of=("CSVLogger", "keras")) == "better"


@pytest.fixture(scope="module")
def transformers(tmp_path_factory):
    """Hugging Face's Trainer: trainer_state.json and all_results.json in each run's folder."""
    transformers = library("transformers", install=HINT)
    library("accelerate", install=HINT)
    torch = library("torch", install=HINT)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 2)

        def forward(self, x, labels):
            logits = self.layer(x)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    top = tmp_path_factory.mktemp("transformers")
    rows = [{"x": torch.ones(1), "labels": 0}] * 8
    for setup, seed in RUNS:
        epochs = iter([0, 1, 2, 2])
        arguments = transformers.TrainingArguments(
            output_dir=str(top / setup / f"seed-{seed}"),
            num_train_epochs=3,
            per_device_train_batch_size=4,
            eval_strategy="epoch",
            save_strategy="epoch",
            logging_strategy="epoch",
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            seed=seed,
        )
        trainer = transformers.Trainer(
            Model(),
            arguments,
            train_dataset=rows,
            eval_dataset=rows,
            compute_metrics=lambda _, run=(setup, seed), left=epochs: {
                "accuracy": accuracy(*run, next(left))
            },
        )
        trainer.save_metrics("train", trainer.train().metrics)
        trainer.save_metrics("eval", trainer.evaluate())
        trainer.save_state()
    return top


def test_transformers_by_the_folders_of_runs(transformers):
    assert imported(transformers, "--metric", "eval_accuracy=accuracy") == wanted()
    assert verdict(transformers, of=("trainer_state.json", "transformers")) == "better"


@pytest.fixture(scope="module")
def monitors(tmp_path_factory):
    """stable-baselines3's Monitor: reward, length and time of each episode."""
    monitor = library("stable_baselines3.common.monitor", install=HINT)
    gymnasium = library("gymnasium", install=HINT)

    class Episodes(gymnasium.Env):
        observation_space = action_space = gymnasium.spaces.Discrete(2)

        def __init__(self, rewards):
            self.rewards = iter(rewards)

        def reset(self, *, seed=None, options=None):
            return 0, {}

        def step(self, action):
            return 0, next(self.rewards), True, False, {}

    top = tmp_path_factory.mktemp("monitors")
    for setup, seed in RUNS:
        folder = top / setup / f"seed{seed}"
        folder.mkdir(parents=True)
        rewards = [100 * accuracy(setup, seed, epoch) for epoch in range(3)]
        with monitor.Monitor(Episodes(rewards), str(folder)) as env:
            for _ in rewards:
                env.reset()
                env.step(0)
    return top


def test_stable_baselines_by_its_folders(monitors):
    """The mean reward of the last 100 episodes, of which there are three."""
    means = {run: sum(100 * accuracy(*run, epoch) for epoch in range(3)) / 3 for run in RUNS}
    assert imported(monitors, metric="ep_rew_mean") == pytest.approx(means)
    of = ("Monitor", "stable-baselines3")
    assert verdict(monitors, metric="ep_rew_mean", of=of) == "better"


def test_scikit_learn_by_its_folds(tmp_path):
    """cv_results_, a row for each candidate, as pandas writes it."""
    sklearn = library("sklearn", install=HINT)
    search = library("sklearn.model_selection", install=HINT)
    pandas = library("pandas", install=HINT)

    class Scripted(sklearn.base.ClassifierMixin, sklearn.base.BaseEstimator):
        def __init__(self, model=None):
            self.model = model

        def fit(self, x, y):
            self.classes_ = [0, 1]
            return self

        def score(self, x, y):
            return accuracy(self.model, x[0][0] // 4)  # each fold has four rows

    rows = [[place] for place in range(12)]
    grid = search.GridSearchCV(
        Scripted(), {"model": list(SETUPS)}, cv=search.KFold(3), refit=False
    )
    grid.fit(rows, [0, 1] * 6)
    file = tmp_path / "cv.csv"
    pandas.DataFrame(grid.cv_results_).to_csv(file)
    found = imported(file, "--better", "test_score=higher", metric="test_score")
    setups = sorted({setup for setup, _ in found})
    renamed = dict(zip(setups, SETUPS, strict=True))
    assert {(renamed[s], n): value for (s, n), value in found.items()} == wanted()
    of = ("cv_results_, as CSV", "scikit-learn")
    assert verdict(file, metric="test_score", setups=setups, of=of) == "better"


def test_results_of_transformers_without_their_states(transformers, tmp_path):
    """all_results.json alone, as people keep it of run_glue.py and its like."""
    for setup, seed in RUNS:
        name = f"{setup}/seed-{seed}"
        (tmp_path / "runs" / name).mkdir(parents=True)
        shutil.copy(transformers / name / "all_results.json", tmp_path / "runs" / name)
    found = imported(tmp_path / "runs", "--metric", "eval_accuracy=accuracy")
    assert found == wanted()
