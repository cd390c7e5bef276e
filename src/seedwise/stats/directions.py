"""Direction of a metric, as far as its name says it beyond doubt.

A name is split into words, and every word has to be known: a term of the table, or one that
changes nothing (`val`, `epoch`, `macro`, a number). So `val_loss_epoch` is settled, and
`reward_std`, `loss_of_accuracy` and `score` are not: a wrong guess would turn the verdict round.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import Literal

__all__ = [
    "TERMS",
    "Better",
    "direction_words",
    "is_share",
    "known_direction",
    "mixed_units",
]

Better = Literal["lower", "higher"]

_LOWER = """
abs rel; absolute error; absolute percentage error; aic; bic; bits per byte; bits per char;
bits per character; bits per dim; bits per token; bits per word; bpb; bpc; bpd; brier; brier
loss; cer; chamfer; character error rate; cost; cross entropy; crossentropy; crps; der;
deviance; dice loss; ece; edit distance; eer; epe; equal error rate; err; error; error rate;
expected calibration error; false alarm rate; false discovery rate; false negative rate; false
positive rate; fid; fnr; fpr; fvd; giou loss; hamming loss; hausdorff; hd95; iou loss; kid;
latency; log loss; logloss; loss; losses; lpips; mae; mape; mase; maxce; mce; mdape;
misclassification rate; mse; msle; neg log likelihood; negative log likelihood; nll; nmse;
nrmse; perplexity; phoneme error rate; ppl; regret; rmse; rmsle; smape; squared error; squared
log error; squared logarithmic error; ter; wape; wer; wmape; word error rate; xent; zero one
loss
"""

_HIGHER = """
acc; accuracies; accuracy; ap; ari; auc; auc pr; auc roc; auprc; auroc; average precision;
bertscore; bleu; chrf; cider; clip score; cohen kappa; dice; elbo; em; episode return; episode
reward; episodic return; exact match; explained variance; f1; f1score; f2; fbeta; fps; hit
rate; hits; images per second; inception score; iou; jaccard; kappa; log likelihood; loglik;
map; matthews corrcoef; mcc; meteor; miou; mrr; ndcg; negative predictive value; nmi; npv; pass
1; pass 10; pass 100; pass 5; pass k; pass rate; pearson; pearsonr; positive predictive value;
pr auc; prec; precision; psnr; quadratic weighted kappa; qwk; r squared; r2; recall; return;
rew; reward; roc auc; rouge; rouge l; rouge lsum; rouge1; rouge2; rougel; rougelsum; sacrebleu;
samples per second; sdr; sensitivity; si sdr; silhouette; snr; spearman; spearmanr;
specificity; ssim; steps per second; success; success rate; throughput; tnr; tokens per second;
tpr; true negative rate; true positive rate; win rate
"""


def _words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _terms(text: str, better: Better) -> dict[tuple[str, ...], Better]:
    return {tuple(term.split()): better for term in " ".join(text.split()).split("; ")}


TERMS: Mapping[tuple[str, ...], Better] = MappingProxyType(
    {
        **_terms(_LOWER, "lower"),
        **_terms(_HIGHER, "higher"),
        ("lower", "is", "better"): "lower",
        ("higher", "is", "better"): "higher",
        ("↓",): "lower",
        ("↑",): "higher",
    }
)
"""The terms that settle a direction, each as its words."""

_LONGEST = max(map(len, TERMS))
_NEUTRAL = _words_of(
    """
    adjusted all at average averaged avg b balanced batch best class classes cls cumulative db dev
    ep episode epoch eval evaluation final fold global heldout holdout inference iter iteration k
    last log10 macro max mean median metric metrics micro min ms n norm normalized online ood
    overall p50 p90 p95 p99 pct per percent percentage raw root running sample samples score sec
    seconds simple split step sum test token top topk total train training unweighted val valid
    validation weighted word worst
    """
)
_LOSS_OF = _words_of(
    """
    aux bce box ce classification clf contrastive ctc det detection dfl focal hinge huber kl l1 l2
    lm logistic mask mlm nsp obj quantile recon reconstruction reg regression rpn seg segmentation
    smooth triplet
    """
)
"""Kinds of loss: known words beside a loss or error only."""

_NEGATED = frozenset(("neg", "negative", "minus", "negated"))
_TURNS = _words_of(
    """
    change count delta diff difference drop free gap grad gradient no num rank ratio sd std
    threshold time to var variance weight without
    """
)
"""Words that make another quantity of what follows, also from a folder of a name's path."""

_SHARES = _words_of(
    """
    acc accuracies accuracy ap auc auroc auprc cer dice em f1 f1score iou jaccard map miou ndcg
    precision prec recall sensitivity specificity wer
    """
)
_APART = 20

_MINUS = "\\-\N{MINUS SIGN}\N{EN DASH}"
_FORMULA = re.compile(rf"\s*(?:[{_MINUS}~]|[\d.]+%?\s*[{_MINUS}]|1(?:\.0*)?\s*/)\s*[^\W\d_]")
"""Names that begin as formulas, which may turn round what follows: `1-accuracy`, `1/rmse`."""

_VOCABULARY = frozenset(word for term in TERMS for word in term) | _NEUTRAL | _LOSS_OF | _NEGATED


def known_direction(name: str) -> Better | None:
    """Direction of a metric, if its name settles it; else None.

    >>> [known_direction(name) for name in ("val_loss_epoch", "test_neg_log_loss", "reward_std")]
    ['lower', 'higher', None]
    """
    if _FORMULA.match(name) or _is_difference(name):
        return None
    name = re.sub(r"(?i)(?<![a-z])bits?/(?=dim|byte|char|token|word)", "bits per ", name)
    *folders, last = [part for part in re.split(r"[/\\]|::", name) if part.strip()] or [""]
    found = _of_words(_words(last))
    for folder in reversed(folders):
        words = _words(folder)
        here = _of_words(words)
        if found == "":  # `loss/val`: the folder names the metric
            found = here
        elif _TURNS & set(words) or _NEGATED & set(words) or here not in (None, "", found):
            return None
    return found or None  # type: ignore[return-value]


def is_share(name: str) -> bool:
    """True if a metric is a share of something, which people write as a fraction or in per cent.

    >>> is_share("val_acc"), is_share("Top-1 error (%)"), is_share("loss")
    (True, True, False)
    """
    words = set(_words(name))
    rate = {"err", "error"} & words and {"top", "rate"} & words
    return bool(_SHARES & words or rate) and "loss" not in words


def mixed_units(values: Sequence[float]) -> tuple[int, int] | None:
    """The places of a fraction and of a per cent among the values of a share.

    Shares below and above 1 may all be in per cent, as the errors of 0.8 and 1.2 % on MNIST are;
    20 times apart they are not.

    >>> mixed_units([0.921, 91.2]), mixed_units([0.8, 1.2])
    ((0, 1), None)
    """
    small = [place for place, value in enumerate(values) if 0 < value <= 1 + 1e-6]
    large = [place for place, value in enumerate(values) if 1.5 < value <= 100]
    if not (small and large):
        return None
    low, high = max(small, key=values.__getitem__), min(large, key=values.__getitem__)
    return (low, high) if values[high] >= _APART * values[low] else None


def direction_words(higher: bool) -> str:
    """The direction in words.

    >>> direction_words(False)
    'lower is better'
    """
    return f"{'higher' if higher else 'lower'} is better"


def _is_difference(name: str) -> bool:
    """True of `train_loss - val_loss`: one term on both sides of a minus."""
    sides = [
        {word for word in _words(side) if (word,) in TERMS}
        for side in re.split(rf"[{_MINUS}]", name)
    ]
    return any(one & other for one, other in combinations(sides, 2))


def _of_words(words: list[str]) -> Better | Literal[""] | None:
    """The direction that one part of a name says; "" where it says none, None for a doubt."""
    while words and words[0] in _NEUTRAL:
        words = words[1:]
    terms, unknown = _read(words)
    if not unknown and len(terms) < 2:
        return terms.pop() if terms else ""
    # `neg_acc` is as often the accuracy on the negatives: only a loss is turned round.
    turned = words[0] in _NEGATED and _of_words(words[1:]) == "lower"
    return "higher" if turned else None


def _read(words: list[str]) -> tuple[set[Better], set[str]]:
    """The directions of the terms among some words, and the words that are unknown."""
    terms, others = set[Better](), set[str]()
    while words:
        size = next((n for n in range(_LONGEST, 0, -1) if tuple(words[:n]) in TERMS), 0)
        if size:
            terms.add(TERMS[tuple(words[:size])])
        else:
            others.add(words[0])
        words = words[size or 1 :]
    unknown = {word for word in others - _NEUTRAL if not word.isdecimal()}
    return terms, unknown - _LOSS_OF if terms == {"lower"} else unknown


def _words(text: str) -> list[str]:
    return [word for piece in re.findall(r"[^\W_]+|[↓↑]", text) for word in _split(piece)]


def _split(piece: str) -> Iterator[str]:
    """The words of a piece without separators: itself if known, else at capitals and digits."""
    whole = piece.lower()
    stem = whole.rstrip("0123456789")
    if _is_known(whole):
        yield whole
    elif _is_known(stem):
        yield from (stem, whole.removeprefix(stem))
    else:
        for part in re.findall(r"[FR]\d(?![a-z\d])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|\W+|.", piece):
            word = part.lower()
            one = word.removesuffix("s")
            yield one if _is_known(one) and not _is_known(word) else word


def _is_known(word: str) -> bool:
    return word in _VOCABULARY
