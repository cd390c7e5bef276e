"""A t test that may be looked at after every pair, for ever: the Gaussian mixture.

Derivation. Let d_1, ..., d_n be independent normal with mean mu and unknown sd sigma, S = sum d
and V = sum d^2. What does not depend on sigma is the direction d / sqrt(V). Its likelihood at a
standardised effect theta = mu / sigma, against theta = 0, is (sigma integrated out under
d sigma / sigma, the right Haar measure, which leaves the law of the direction)

    L(theta) = E[exp(theta T U - n theta^2 / 2)],  T = S / sqrt(V),  U^2 ~ chi^2_n,

and mixing theta ~ N(0, g) inside the expectation gives E[exp(g T^2 U^2 / (2 (1 + n g)))] over
sqrt(1 + n g). The moment-generating function of chi^2_n then is

    E_n = (1 + n g)^(-1/2) [1 - g T^2 / (1 + n g)]^(-n/2)
        = (1 + n g)^(-1/2) [V / (V - g S^2 / (1 + n g))]^(n/2).

Ratios of likelihoods of the growing sequence of directions are a martingale with mean 1 where
theta = 0, so E_n ever reaches 1 / alpha with probability at most alpha (Ville). With g = 1 / c^2
this is the scale-invariant Gaussian mixture of Wang and Ramdas, "Anytime-valid t-tests and
confidence sequences for Gaussian means with unknown variance", arXiv 2310.03722:
sqrt(c^2 / (n + c^2)) [(n + c^2) V / ((n + c^2) V - S^2)]^(n/2). Its root is Lai (1976), "On
confidence sequences".

Where runs of one seed are unrelated, the sums s_i of both tell of sigma too. V then has the sum of
their squared deviations beside it, n - 1 degrees of freedom more, and n / 2 above is (2n - 1) / 2.
"""

import numpy as np
from numpy import ndarray

from seedwise.shaped import Float64

__all__ = ["PRIOR_VARIANCE", "anytime_bounds", "log_evidence"]

PRIOR_VARIANCE = 4.0
"""Variance g of the mixture over standardised effects. Paired differences that people look for lie
between 1 and 5 standard deviations (real runs: 1.6 and 4.8): mean pairs to a verdict at effects 1,
1.6, 2.7 and 4.8 are 13.6, 7.6, 5.1 and 4.2 with g = 4, and 13.3, 8.1, 6.0 and 5.2 with g = 1."""


def log_evidence(
    differences: Float64[ndarray, "*studies pairs"], g: float = PRIOR_VARIANCE
) -> Float64[ndarray, "*studies pairs"]:
    """Logarithm of E_n after each pair, against a mean difference of 0.

    Args:
        differences: Paired differences in the order of the looks; any leading axes are studies.
        g: Variance of the mixture, above 0.

    Returns:
        log E_n for n = 1, 2, ...; 0 as long as every difference was 0. The test rejects at level
        alpha, whenever one looks, where it is at least -log(alpha).
    """
    n = np.arange(1, differences.shape[-1] + 1)
    total = np.cumsum(differences, axis=-1)
    squares = np.cumsum(differences**2, axis=-1)
    share = total**2 / np.where(squares > 0, squares, 1.0)
    return -0.5 * np.log1p(n * g) * (squares > 0) - n / 2 * np.log1p(-g * share / (1 + n * g))


def anytime_bounds(
    pairs: int, alpha: float, g: float = PRIOR_VARIANCE, *, paired: bool = True
) -> Float64[ndarray, " pairs"]:
    """The |t| at which E_n reaches 1 / alpha, for n = 1 to `pairs`.

    With the one-sample t of d - mu, the means mu whose |t| stays below this are the confidence
    sequence: it holds the true mean at all n together with probability 1 - alpha.

    Args:
        pairs: Number of pairs.
        alpha: Rate of false alarms at all n together.
        g: Variance of the mixture.
        paired: False for the two-sample t of as many unrelated runs of each setup.

    Returns:
        Infinity while no t would do: with f degrees of freedom, n - 1 or 2(n - 1) of unrelated
        runs, t^2 = f (K - 1) / (1 - K / (1 + n g)) with K = ((1 + n g) / alpha^2)^(1/(f + 1)), as
        long as K >= 1 + n g.
    """
    n = np.arange(1, pairs + 1)
    freedom = n - 1 if paired else 2 * (n - 1)
    most = 1 + n * g
    k = np.exp((np.log(most) - 2 * np.log(alpha)) / (freedom + 1))
    reachable = (k < most) & (n > 1)
    below = np.where(reachable, 1 - k / most, 1.0)
    return np.where(reachable, np.sqrt(freedom * (k - 1) / below), np.inf)
