"""JAX: a key for the initial weights, a numpy generator for the order, each of its own stream."""

import jax
import jax.numpy as jnp
import numpy as np

import seedwise
from digits import train_x, train_y, valid_x, valid_y


def relu(seed):
    return fit(jax.nn.relu, seed)


def mish(seed):
    return fit(jax.nn.mish, seed)


def fit(activation, seed):
    first, second = jax.random.split(jax.random.key(seed.integer("init")))
    weights = [
        jax.random.normal(first, (64, 32)) / 8,
        jax.random.normal(second, (32, 10)) / 6,
    ]

    def logits(weights, x):
        return activation(x @ weights[0]) @ weights[1]

    def loss(weights, x, y):
        return -jnp.take_along_axis(jax.nn.log_softmax(logits(weights, x)), y[:, None], 1).mean()

    @jax.jit
    def step(weights, x, y):
        slopes = jax.grad(loss)(weights, x, y)
        return [w - 0.5 * slope for w, slope in zip(weights, slopes, strict=True)]

    for epoch in range(10):
        for batch in seed.numpy("order", epoch).permutation(len(train_x))[:1280].reshape(-1, 64):
            weights = step(weights, train_x[batch], train_y[batch])
    return {"predictions": np.asarray(logits(weights, valid_x))}


if __name__ == "__main__":
    study = seedwise.Study("jax.db", targets=valid_y)
    study.run({"relu": relu, "mish": mish}, seeds=5)
    print(study.compare("relu", "mish"))
