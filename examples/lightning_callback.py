"""PyTorch Lightning: the callback keeps what validation_step returns."""

import logging
import sys
import warnings

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import seedwise
from digits import train_x, train_y, valid_x, valid_y
from seedwise.adapters.lightning import CollectRun, RecordRun


class Net(LightningModule):
    def __init__(self, lr):
        super().__init__()
        self.lr = lr
        self.layers = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def training_step(self, batch, _):
        return nn.functional.cross_entropy(self.layers(batch[0]), batch[1])

    def validation_step(self, batch, _):
        return {"predictions": self.layers(batch[0]), "targets": batch[1]}

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def fit(lr, seed, callback):
    seed.everything()
    train = TensorDataset(torch.from_numpy(train_x), torch.from_numpy(train_y))
    valid = TensorDataset(torch.from_numpy(valid_x), torch.from_numpy(valid_y))
    order = seed.torch("order")
    trainer = Trainer(
        max_epochs=3,
        accelerator="cpu",
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(
        Net(lr),
        DataLoader(train, batch_size=64, shuffle=True, generator=order),
        DataLoader(valid, batch_size=250),
    )


def slow(seed):
    run = CollectRun()
    fit(1e-3, seed, run)
    return run.outcome


def fast(seed):
    run = CollectRun()
    fit(1e-2, seed, run)
    return run.outcome


if __name__ == "__main__":
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")  # Lightning advises more workers than this needs
    if len(sys.argv) > 1:  # a job of a cluster: python lightning_callback.py SEED
        seed = seedwise.Seed.of(int(sys.argv[1]))
        fit(1e-2, seed, RecordRun("lightning.db", setup="jobs", seed=seed))
    else:
        study = seedwise.Study("lightning.db")
        study.run({"slow": slow, "fast": fast}, seeds=3)
        print(study.compare("slow", "fast"))
