"""Examples that the scores of a study are of: their names, their groups, their word."""

from dataclasses import replace

import numpy as np

from seedwise.comparison.study_runs import CALLED
from seedwise.errors import ConfigError, StudyError
from seedwise.records import Examples, RunRecord
from seedwise.store import Store

__all__ = ["check_called", "keep_called", "keep_examples"]

_LONGEST = 40


def check_called(called: str) -> str:
    """Check the word for examples.

    Raises:
        ConfigError: It is not a plain word or two.

    >>> check_called("questions")
    'questions'
    """
    words = called.split()
    fits = words and len(called) <= _LONGEST and all(word.isalpha() for word in words)
    if not fits or called != " ".join(words):
        raise ConfigError(
            f"what examples are called is a plural in letters, e.g. questions, got {called!r}"
        )
    return called


def keep_called(store: Store, called: str | None) -> None:
    """Keep what the examples of a study are called; the same again changes nothing.

    Raises:
        ConfigError: It is not a plain word or two.
        StudyError: They are called otherwise in this study.
    """
    if called is not None:
        store.fix_choice(CALLED, check_called(called))


def keep_examples(store: Store, record: RunRecord) -> RunRecord:
    """The run with its scores in the order of the study's examples, whose names and groups it has.

    Names and groups that the study did not know are kept.

    Raises:
        StudyError: They are other examples, or in other groups.
    """
    given = record.examples
    if given is None:
        return record
    known = store.examples()
    if known and known.names and given.names and known.names != given.names:
        record = _in_order(store, record, given, known.names)
        given = record.examples or given
    store.set_examples(given)
    return record


def _in_order(
    store: Store, record: RunRecord, given: Examples, names: tuple[str, ...]
) -> RunRecord:
    """A run whose examples are those of a study, in the study's order."""
    missing, others = set(names) - set(given.names), set(given.names) - set(names)
    if missing or others:
        told = [
            f"{len(some):,} {what}, such as {min(some)!r}"
            for what, some in (("are missing", missing), ("are unknown", others))
            if some
        ]
        raise StudyError(
            f"the examples are not those of {store.path}: {' and '.join(told)}; every run must "
            "score the same examples"
        )
    if record.logits is not None:
        raise StudyError(
            f"the predictions are of the examples of {store.path} in another order; put them in "
            "the order of the first run"
        )
    place = {name: at for at, name in enumerate(given.names)}
    order = np.array([place[name] for name in names])
    groups = tuple(given.groups[at] for at in order) if given.groups else ()
    return replace(
        record,
        scores={metric: values[order] for metric, values in record.scores.items()},
        examples=Examples(count=given.count, names=names, groups=groups),
    )
