"""The error function in numpy."""

from __future__ import annotations

import numpy as np

from tfgraft.plugins.reference.network import Array

_A = (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3)
_B = (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3)
_C = (
    2.15311535474403846e-8,
    5.64188496988670089e-1,
    8.88314979438837594,
    6.61191906371416295e1,
    2.98635138197400131e2,
    8.81952221241769090e2,
    1.71204761263407058e3,
    2.05107837782607147e3,
    1.23033935479799725e3,
)
_D = (
    1.0,
    1.57449261107098347e1,
    1.17693950891312499e2,
    5.37181101862009858e2,
    1.62138957456669019e3,
    3.29079923573345963e3,
    4.36261909014324716e3,
    3.43936767414372164e3,
    1.23033935480374942e3,
)
_SMALL = 0.46875


def erf(x: Array) -> Array:
    """Return erf(x) in double precision, to about 1e-15 below 4 and 1e-16 above, where it is nearly 1.

    Source: W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of Computation 23
    (1969), the approximations for |x| <= 0.46875 and 0.46875 <= |x| <= 4.
    """
    x = x.astype(np.float64)
    size = np.minimum(np.abs(x), 6.0)  # beyond, erf is 1 to the last bit
    square = size * size
    small = x * np.polyval(_A, np.minimum(square, 1.0)) / np.polyval(_B, np.minimum(square, 1.0))
    large = 1.0 - np.exp(-square) * np.polyval(_C, size) / np.polyval(_D, size)
    return np.where(np.abs(x) <= _SMALL, small, np.copysign(large, x))
