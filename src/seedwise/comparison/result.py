"""The values of a comparison: everything to print or to draw, and no words."""

from collections.abc import Mapping
from dataclasses import dataclass

from seedwise.comparison.collapse import FarRuns
from seedwise.comparison.contrast import Contrast
from seedwise.comparison.measured import RunCounts
from seedwise.comparison.metrics import is_over_views
from seedwise.comparison.rule import Rule, Standing
from seedwise.comparison.stopping import Stopped
from seedwise.comparison.verdict import Verdict
from seedwise.seeds import Seed
from seedwise.stats.agreement import ChanceOfBetter
from seedwise.stats.cheaper import Saving
from seedwise.stats.equivalence import Equivalence
from seedwise.stats.multiplicity import Correction
from seedwise.stats.views import ViewShare

__all__ = ["Churn", "ComparisonValues", "Family", "Tradeoff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Churn:
    """The share of predictions that differ from run to run; NaN where it can't be told.

    Attributes:
        pairs: Between the setups, in runs of the same seed.
        within_a: Between runs of A with different seeds.
        within_b: Between runs of B with different seeds.
        from_scores: It is the share of examples that are right in one run and wrong in the other.
    """

    pairs: float
    within_a: float
    within_b: float
    from_scores: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The comparisons that were made together.

    Attributes:
        size: How many, those included that were planned and are not shown.
        correction: How their p-values are corrected.
        shown: How many were asked for.
    """

    size: int
    correction: Correction
    shown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tradeoff:
    """Verdict on B being cheaper than A by more than a share, and not worse by the margin.

    Attributes:
        cost: What a run costs: `seconds`, or the name of a metric.
        saving: The share by which B's mean cost is lower, with the test against the share.
        p_value: Of both claims at once, corrected where there are several comparisons.
        shown: True if both are shown, runs that diverged or collapsed considered.
    """

    cost: str
    saving: Saving
    p_value: float
    shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonValues:
    """Setup B against setup A.

    Attributes:
        a: Name of setup A, with what became of its runs.
        b: The same of setup B.
        rule: How the verdict was reached.
        paired: Whether runs of the same seed were compared; chosen from the seeds alone.
        shared: The seeds of which both setups have a result.
        verdict: What can be claimed.
        deciding: B against A under the metric that decides the sign.
        contrasts: B against A under each metric, by name; accuracy among them where it is known.
        without_diverged: The contrast that decides when the runs that diverged, and those far from
            the rest, are left out; None where there are none, and where nothing is left.
        verdict_without_diverged: The verdict then; None likewise.
        far_a: The runs of A that lie far from its others: collapsed, for the most part.
        far_b: The runs of B likewise.
        equivalence: The tests against the margin; None without one.
        margin_metric: The metric that the margin is of: accuracy, where it is known.
        divergence_p: p-value of Fisher's exact test for the same rate of diverged runs.
        chance: The chance that a run of B beats a run of A, under the deciding metric.
        sign_flip: p-value of the sign-flip test of the deciding metric; None unpaired, and for
            more than 16 pairs.
        churn: How much the predictions differ; None without predictions.
        runs_for_seen: Runs of each setup that would show a difference as large as the one seen
            under the deciding metric, at 80 % power; None where no number can be said.
        family: The comparisons that this one was made with; None where it is alone.
        standing: Whether all was fixed before the first run that a verdict on these figures needs.
        stopping: What the study's stopping rule says of the two; None where it is not about them.
            It stands then, and the figures beside it are exploratory.
        test_to_train: Of folds of cross-validations, test examples for each training example; 0
            where the runs are not folds.
        called: What the examples are called, as a plural.
        examples: How many have a score under the metric that decides; None where none has.
        groups: In how many groups they come; None where they are taken as independent.
        apart: Of one run of each setup, the examples that are right in A only and in B only; None
            for more runs, and for scores that are not all 0 or 1.
        tradeoff: Whether B is cheaper and not worse; None where the rule has no cost.
        guessing: The accuracy of naming the commonest class each time; None without predictions.
        views: The share of the pairs that more views of each image take, or would take; None where
            the pairs cannot tell.
    """

    a: RunCounts
    b: RunCounts
    rule: Rule
    paired: bool
    shared: tuple[Seed, ...]
    verdict: Verdict
    deciding: Contrast
    contrasts: Mapping[str, Contrast]
    without_diverged: Contrast | None
    verdict_without_diverged: Verdict | None
    equivalence: Equivalence | None
    margin_metric: str
    far_a: FarRuns
    far_b: FarRuns
    divergence_p: float
    chance: ChanceOfBetter
    sign_flip: float | None
    churn: Churn | None
    runs_for_seen: int | None
    family: Family | None
    standing: Standing
    stopping: Stopped | None = None
    test_to_train: float = 0.0
    called: str = "images"
    guessing: float | None = None
    examples: int | None = None
    groups: int | None = None
    apart: tuple[int, int] | None = None
    views: ViewShare | None = None
    tradeoff: Tradeoff | None = None

    @property
    def of_models(self) -> bool:
        """True if it is about one run of each setup, on new examples, and about no other seed."""
        return self.deciding.difference.of_models

    @property
    def outcome(self) -> str:
        """`better`, `worse`, `equivalent` or `undecided`; a stopping rule's, where one decides."""
        stopping = self.stopping
        return self.verdict.outcome if stopping is None else stopping.outcome(self.b.name)

    @property
    def shown_not_worse(self) -> bool:
        """True if B is shown not to be worse by the margin or more; undecided is not shown.

        Where a stopping rule decides, by its verdict: better or equivalent.
        """
        if self.stopping is not None:
            return self.outcome in ("better", "equivalent")
        return self.verdict.not_worse

    @property
    def speaks_of(self) -> str:
        """Name of the examples that intervals are about; empty without examples."""
        scored = any(each.new_images for each in self.contrasts.values())
        return self.called if scored or self.of_models else ""

    @property
    def accuracy(self) -> Contrast | None:
        """B against A under accuracy, over more views where that decides; None if not known."""
        over = is_over_views(self.margin_metric)
        return self.contrasts.get(self.margin_metric if over else "accuracy")
