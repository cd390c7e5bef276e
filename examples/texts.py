"""scikit-learn: do pairs of words help to tell from a docstring which package it is of?

The texts are those of Python's own library.
"""

import ast
import sysconfig
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier

import seedwise

PACKAGES = ("asyncio", "email", "unittest")


def docstrings(package):
    """Every docstring of a package that has ten words or more, without the package's name."""
    for file in sorted(Path(sysconfig.get_path("stdlib"), package).glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                text = (ast.get_docstring(node) or "").replace(package, "")
                if len(text.split()) >= 10:
                    yield text


texts = {name: sorted(set(docstrings(name))) for name in PACKAGES}
words = [text for name in PACKAGES for text in texts[name]]
packages = np.repeat(np.arange(len(PACKAGES)), [len(texts[name]) for name in PACKAGES])
order = np.random.default_rng(0).permutation(len(words))
train, valid = order[len(order) // 2 :], order[: len(order) // 2]


def single(seed):
    return fit((1, 1), seed)


def pairs(seed):
    return fit((1, 2), seed)


def fit(ngrams, seed):
    some = seed.numpy("order").choice(train, len(train) // 2, replace=False)
    counts = TfidfVectorizer(ngram_range=ngrams, sublinear_tf=True)
    model = SGDClassifier(loss="log_loss", random_state=seed.integer("init"))
    model.fit(counts.fit_transform([words[i] for i in some]), packages[some])
    rows = counts.transform([words[i] for i in valid])
    return {"predictions": model.predict_log_proba(rows)}


if __name__ == "__main__":
    study = seedwise.Study("texts.db", targets=packages[valid], called="docstrings")
    rule = seedwise.Rule(metric="macro_f1")
    study.run({"single": single, "pairs": pairs}, seeds=5, rule=rule)
    print(study.compare("single", "pairs"))
