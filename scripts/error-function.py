"""
Prints the coefficients of erf and normalCdf in src/engines/wasm/math.ts: /usr/bin/python3 scripts/error-function.py

Least squares whose weights move to where the relative error is largest (Lawson 1961) come close to the minimax polynomial.
"""
import numpy as np
import torch

NODES = 1500


def of(function, x):
    return function(torch.tensor(x, dtype=torch.float64)).numpy()


def chebyshev(low, high):
    return (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)


def fit(name, u, y, weight, degree):
    """The polynomial in u next to y, its error as `weight` counts it in halves of the last place of float32."""
    powers = np.vander(u, degree + 1)
    share = np.ones(NODES) / NODES
    for _ in range(500):
        root = np.sqrt(share) * weight
        coefficients = np.linalg.lstsq(powers * root[:, None], y * root, rcond=None)[0]
        error = np.abs(weight * (powers @ coefficients - y))
        share = share * (error + 1e-30)
        share /= share.sum()
    print(f'{name}, {error.max() * 2**24:.3f} half ulp:', [float(f'{c:.10g}') for c in coefficients])


# erf(x) = x + x P(x^2) below 1
z = chebyshev(1e-4, 1)
x = np.sqrt(z)
ratio = of(torch.special.erf, x) / x
fit('near', z, ratio - 1, 1 / ratio, 6)

# erf(x) = 1 - exp(Q(x)) from 1 to 4
t = chebyshev(1, 4)
rest = of(torch.special.erfc, t)
fit('far', t, np.log(rest), rest / of(torch.special.erf, t), 6)

# normalCdf(x) = 1/2 + x M(x^2) from -1 to 1, relative to what is left at -x
z = chebyshev(1e-6, 1)
x = np.sqrt(z)
slope = of(torch.special.erf, x / np.sqrt(2)) / 2 / x
fit('middle', z, slope, x / (0.5 - x * slope), 5)

# normalCdf(-t) = exp(-t^2 / 2) R((t - 2) / (t + 2)) / (t + 2) from 1 to 14.5
q = chebyshev((1 - 2) / (1 + 2), (14.5 - 2) / (14.5 + 2))
t = 2 * (1 + q) / (1 - q)
tail = 0.5 * of(torch.special.erfcx, t / np.sqrt(2)) * (t + 2)
fit('tail', q, tail, 1 / tail, 7)
