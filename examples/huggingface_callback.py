"""Hugging Face's Trainer: the callback keeps what compute_metrics is given."""

import sys
import tempfile

import torch
from torch import nn
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments
from transformers.utils import logging

import seedwise
from digits import train_x, train_y, valid_x, valid_y
from seedwise.adapters.huggingface import CollectRun, RecordRun


class Digits(Dataset):
    def __init__(self, images, classes):
        self.images, self.classes = images, classes

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return {"images": self.images[i], "labels": self.classes[i]}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, images, labels=None):
        logits = self.layers(images)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def fit(lr, seed, run):
    torch.manual_seed(int(seed))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=Net(),
            args=TrainingArguments(
                folder,
                seed=int(seed),
                learning_rate=lr,
                num_train_epochs=3,
                per_device_train_batch_size=64,
                eval_strategy="epoch",
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=True,
            ),
            train_dataset=Digits(train_x, train_y),
            eval_dataset=Digits(valid_x, valid_y),
            compute_metrics=run.compute_metrics,
            callbacks=[run],
        )
        trainer.train()


def slow(seed):
    run = CollectRun()
    fit(1e-3, seed, run)
    return run.outcome


def fast(seed):
    run = CollectRun()
    fit(1e-2, seed, run)
    return run.outcome


if __name__ == "__main__":
    logging.set_verbosity_error()
    if len(sys.argv) > 1:  # a job of a cluster: python huggingface_callback.py SEED
        seed = seedwise.Seed.of(int(sys.argv[1]))
        fit(1e-2, seed, RecordRun("huggingface.db", setup="jobs", seed=seed))
    else:
        study = seedwise.Study("huggingface.db")
        study.run({"slow": slow, "fast": fast}, seeds=3)
        print(study.compare("slow", "fast"))
