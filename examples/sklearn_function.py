"""scikit-learn: does a second hidden layer help a small network on digits?"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import seedwise
from digits import train_x, train_y, valid_x, valid_y


def one_layer(seed):
    return fit((32,), seed)


def two_layers(seed):
    return fit((32, 32), seed)


def fit(layers, seed):
    model = MLPClassifier(layers, max_iter=10, random_state=seed.integer("init"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # ten epochs are meant
        model.fit(train_x, train_y)
    return {"predictions": np.log(model.predict_proba(valid_x))}


if __name__ == "__main__":
    study = seedwise.Study("layers.db", targets=valid_y)
    study.run({"one": one_layer, "two": two_layers}, seeds=5)
    print(study.compare("one", "two"))
