"""schedules.safetensors: learning rates, update by update, by PyTorch's schedulers and by Keras's formulas in float64."""
import math

import numpy as np
import torch
from torch.optim import lr_scheduler as lr

from tensors import write

FIRST = 0.5
UPDATES = 24


def by_torch(make, updates):
    """The rate of every update of an optimizer that a scheduler drives."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=FIRST)
    scheduler = make(optimizer)
    rates = []
    for _ in range(updates):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    return rates


def warmed(optimizer):
    """Five updates up to the first rate, then a cosine over the other 19."""
    warmup = lr.LinearLR(optimizer, start_factor=1 / 5, total_iters=4)
    return lr.SequentialLR(optimizer, [warmup, lr.CosineAnnealingLR(optimizer, T_max=19)], milestones=[5])


# name, our schedule without its first rate, PyTorch's, updates (PyTorch's cosine goes up again after its end)
TORCH = [
    ('stepDecay', {'decaySteps': 5, 'decayRate': 0.3}, lambda o: lr.StepLR(o, 5, 0.3), UPDATES),
    ('exponentialDecay', {'decaySteps': 1, 'decayRate': 0.9}, lambda o: lr.ExponentialLR(o, 0.9), UPDATES),
    ('polynomialDecay', {'decaySteps': 15, 'endLearningRate': 0, 'power': 2}, lambda o: lr.PolynomialLR(o, 15, 2), UPDATES),
    ('polynomialDecay', {'endLearningRate': 0}, lambda o: lr.PolynomialLR(o, UPDATES, 1), UPDATES),
    ('cosineDecay', {'decaySteps': 16, 'alpha': 0.1}, lambda o: lr.CosineAnnealingLR(o, 16, 0.1 * FIRST), 17),
    ('cosineDecay', {}, lambda o: lr.CosineAnnealingLR(o, UPDATES), UPDATES),
    ('cosineDecay', {'warmupSteps': 5}, warmed, UPDATES),
    ('cosineDecayRestarts', {'firstDecaySteps': 3, 'alpha': 0.1},
     lambda o: lr.CosineAnnealingWarmRestarts(o, 3, 2, 0.1 * FIRST), UPDATES),
    ('cosineDecayRestarts', {'firstDecaySteps': 7, 'tMul': 1},
     lambda o: lr.CosineAnnealingWarmRestarts(o, 7), UPDATES),
    ('oneCycle', {}, lambda o: lr.OneCycleLR(o, FIRST, total_steps=UPDATES), UPDATES - 1),
    ('oneCycle', {'decaySteps': 20, 'pctStart': 0.4, 'divFactor': 10, 'finalDivFactor': 100},
     lambda o: lr.OneCycleLR(o, FIRST, total_steps=20, pct_start=0.4, div_factor=10, final_div_factor=100), 19),
]

# Keras's docstrings: the rate of step t, where PyTorch has no such scheduler
KERAS = [
    ('exponentialDecay', {'decaySteps': 6, 'decayRate': 0.4}, lambda t: FIRST * 0.4 ** (t / 6)),
    ('exponentialDecay', {'decaySteps': 6, 'decayRate': 0.4, 'staircase': True}, lambda t: FIRST * 0.4 ** (t // 6)),
    ('exponentialDecay', {'decayRate': 0.4}, lambda t: FIRST * 0.4 ** (t / UPDATES)),
    ('inverseTimeDecay', {'decaySteps': 6, 'decayRate': 0.5}, lambda t: FIRST / (1 + 0.5 * t / 6)),
    ('inverseTimeDecay', {'decaySteps': 6, 'decayRate': 0.5, 'staircase': True}, lambda t: FIRST / (1 + 0.5 * (t // 6))),
    ('polynomialDecay', {'decaySteps': 15}, lambda t: (FIRST - 1e-4) * (1 - min(t, 15) / 15) + 1e-4),
    ('polynomialDecay', {'decaySteps': 7, 'cycle': True, 'power': 0.5, 'endLearningRate': 0.01},
     lambda t: (FIRST - 0.01) * (1 - t / (7 * (math.ceil(t / 7) if t else 1))) ** 0.5 + 0.01),
    ('cosineDecay', {'decaySteps': 10, 'alpha': 0.2},
     lambda t: FIRST * (0.8 * 0.5 * (1 + math.cos(math.pi * min(t, 10) / 10)) + 0.2)),
    ('cosineDecay', {'decaySteps': 10, 'alpha': 0.2, 'warmupTarget': 2, 'warmupSteps': 6},
     lambda t: (2 - FIRST) * t / 6 + FIRST if t < 6
     else 2 * (0.8 * 0.5 * (1 + math.cos(math.pi * min(t - 6, 10) / 10)) + 0.2)),
    ('cosineDecayRestarts', {'firstDecaySteps': 4, 'tMul': 1, 'mMul': 0.5, 'alpha': 0.1},
     lambda t: FIRST * (0.9 * 0.5 * 0.5 ** (t // 4) * (1 + math.cos(math.pi * (t % 4) / 4)) + 0.1)),
]


def schedules():
    results = []
    for kind, options, make, updates in TORCH:
        first = 'maxLearningRate' if kind == 'oneCycle' else 'initialLearningRate'
        results.append(({'type': kind, first: FIRST, **options}, by_torch(make, updates)))
    for kind, options, rate in KERAS:
        results.append(({'type': kind, 'initialLearningRate': FIRST, **options}, [rate(t) for t in range(UPDATES)]))
    # Keras changes after a boundary, PyTorch at it
    pieces = by_torch(lambda o: lr.MultiStepLR(o, [4, 9, 17], 0.1), UPDATES)
    results.append(({'type': 'piecewiseConstantDecay', 'boundaries': [3, 8, 16], 'values': [0.5, 0.05, 0.005, 0.0005]}, pieces))
    results.append(({'type': 'constant', 'learningRate': FIRST, 'warmupSteps': 8},
                    by_torch(lambda o: lr.LinearLR(o, start_factor=1 / 8, total_iters=7), UPDATES)))
    cases = [{'name': str(i), 'total': UPDATES, 'schedule': schedule} for i, (schedule, _) in enumerate(results)]
    tensors = {str(i): np.array(rates, np.float64) for i, (_, rates) in enumerate(results)}
    write('schedules', 'Learning rates, update by update', cases, tensors)
