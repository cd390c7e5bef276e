"""The same script with a verdict: ten lines around the training, which stays as it is."""

import torch

import seedwise
from digits import valid_y
from pytorch_before import train


def adam(seed):
    seed.everything()
    return {"predictions": train(torch.optim.Adam)}


def adamw(seed):
    seed.everything()
    return {"predictions": train(torch.optim.AdamW)}


if __name__ == "__main__":
    study = seedwise.Study("optimizers.db", targets=valid_y)
    study.run({"adam": adam, "adamw": adamw}, seeds=5)
    print(study.compare("adam", "adamw"))
