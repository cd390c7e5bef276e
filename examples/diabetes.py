"""scikit-learn: does a forest predict the progress of diabetes better than boosted trees do?

The patients are few, so that the interval for new ones is the one to look at.
"""

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor

import seedwise

features, progress = load_diabetes(return_X_y=True)
order = np.random.default_rng(0).permutation(len(progress))
train, valid = order[:300], order[300:]


def boosted(seed):
    return fit(GradientBoostingRegressor(subsample=0.5, random_state=seed.integer("init")))


def forest(seed):
    return fit(RandomForestRegressor(100, random_state=seed.integer("init")))


def fit(model):
    model.fit(features[train], progress[train])
    return {"predictions": model.predict(features[valid]), "targets": progress[valid]}


if __name__ == "__main__":
    study = seedwise.Study("diabetes.db", called="patients")
    rule = seedwise.Rule(metric="rmse")
    study.run({"boosted": boosted, "forest": forest}, seeds=5, rule=rule)
    print(study.compare("boosted", "forest"))
