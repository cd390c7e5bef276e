"""Plain PyTorch, as many scripts are: one training, one number."""

import torch
from torch import nn

from digits import train_x, train_y, valid_x, valid_y


def train(optimizer):
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    step = optimizer(model.parameters(), lr=0.01)
    x, y = torch.from_numpy(train_x), torch.from_numpy(train_y)
    for _ in range(10):
        for batch in torch.randperm(len(x)).split(64):
            step.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            step.step()
    with torch.no_grad():
        return model(torch.from_numpy(valid_x))


if __name__ == "__main__":
    torch.manual_seed(0)
    logits = train(torch.optim.Adam)
    print(f"accuracy {(logits.argmax(1).numpy() == valid_y).mean():.3f}")
