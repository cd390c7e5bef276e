"""Which way a metric points, as far as its name says it beyond doubt."""

import re
from pathlib import Path

import pytest

from seedwise.stats.directions import TERMS, known_direction

LOWER = """
loss; val_loss; val_loss_epoch; train/loss_step; loss/val; eval_loss; metrics.val_loss;
valLoss; error; Top-1 error (%); top1_err; MAE_test; val_rmse_best; test_mean_squared_error;
mape; wer; eval_wer; CER; FID; fid50k; LPIPS; perplexity; test ppl; bits_per_byte; bits/dim;
nll; negative_log_likelihood; neg_log_likelihood; log_loss; cross-entropy; ece;
brier_score_loss; regret; cumulative_regret; p99_latency_ms; iou_loss; dice_loss;
train/box_loss; val/cls_loss; false_positive_rate; FID ↓; word_error_rate; easy/rmse; loss
(lower is better)
"""
HIGHER = """
acc; val_acc; val/acc; Accuracy; test accuracy (%); accuracy:top1; top_5_accuracy; Acc@1; f1;
macro_f1; F1Score; test_f1_weighted; auc; ROC-AUC; roc_auc_score; bleu; BLEU-4; rougeL; mAP;
mAP@0.5:0.95; map(0.5,0.95); metrics/mAP50-95(B); recall@k=5; ndcg@10; mIoU; r2; R2_test;
episode_return; rollout/ep_rew_mean; AverageReturn; test_neg_mean_squared_error; neg_log_loss;
test_neg_root_mean_squared_error; neg_loss; log_likelihood; explained_variance; psnr; pass@1;
easy/acc; cifar10/test/acc; tokens_per_second; mcc; Dice
"""
UNSETTLED = """
score; test_score; value; objective; ret; loss_of_accuracy; accuracy_loss; f1_error;
error_free; lossless; loss/accuracy; speedup; time to accuracy; reward_std; acc_std;
loss_weight; weight_loss; neg_acc; neg_f1; accuracy_drop; gap/acc; std/loss; grad_norm; lr;
epoch; best_epoch; seed; ep_len_mean; acc_per_loss; precision_loss; fairness; top1; 准确率; ; %
"""


def names(text):
    return [name.strip() for name in " ".join(text.split()).split(";")]


@pytest.mark.parametrize("name", names(LOWER))
def test_lower_is_better(name):
    assert known_direction(name) == "lower"


@pytest.mark.parametrize("name", names(HIGHER))
def test_higher_is_better(name):
    assert known_direction(name) == "higher"


@pytest.mark.parametrize("name", names(UNSETTLED))
def test_a_name_with_doubtful_words_settles_nothing(name):
    assert known_direction(name) is None


FORMULAS = """
1-accuracy; 1 - AUC; 100-acc; 100% - acc; 1−ssim; 1.0 – f1; -loss; −acc; ~acc; 1/loss; 1.0 / rmse;
train_loss - val_loss; train_acc-test_acc
"""


@pytest.mark.parametrize("name", names(FORMULAS))
def test_a_formula_may_turn_round_what_it_is_made_of(name):
    assert known_direction(name) is None


def test_a_number_before_a_hyphen_is_no_formula_within_a_name():
    assert known_direction("top-1-accuracy") == known_direction("5/acc") == "higher"


@pytest.mark.parametrize("name", [*names(LOWER), *names(HIGHER)])
def test_case_and_separators_of_words_do_not_matter(name):
    assert known_direction(name) == known_direction(re.sub(r"[ _]", "-", name))
    assert known_direction(f"val_{name}") == known_direction(name)


def test_the_page_lists_each_term():
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    for way in ("lower", "higher"):
        (row,) = re.findall(rf"^\| {way} \| (`.*`) \|$", page, re.M)
        said = {tuple(term.split()) for term in re.findall(r"`([^`]+)`", row)}
        assert said == {words for words, better in TERMS.items() if better == way}
