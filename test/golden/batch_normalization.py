"""batch-normalization.safetensors: batch normalisation in training, with gradients and the running statistics it leaves."""
import numpy as np
import torch

from tensors import channels_first, channels_last, double, leaf, random, single, write

# name, x, momentum (Keras's: what is kept), epsilon, gamma, beta
CASES = [
    ('images', [3, 4, 5, 6], 0.9, 1e-3, True, True),
    ('features', [7, 5], 0.99, 1e-5, True, True),
    ('no gamma', [2, 3, 3, 4], 0.5, 1e-3, False, True),
    ('no beta', [2, 3, 3, 4], 0.5, 1e-3, True, False),
]


def batch_norm(x, gamma, beta, epsilon):
    """PyTorch's own, channels last."""
    return channels_last(torch.nn.functional.batch_norm(channels_first(x), None, None, gamma, beta, True, 0, epsilon))


def batch_normalizations():
    cases, tensors = [], {}
    for name, shape, momentum, epsilon, scale, center in CASES:
        channels = shape[-1]
        x = leaf(2 * random(f'{name}/x', shape) + 1)
        gamma = leaf(1.5 + random(f'{name}/gamma', [channels])) if scale else None
        beta = leaf(random(f'{name}/beta', [channels])) if center else None
        y = batch_norm(x, gamma, beta, epsilon)
        dy = random(f'{name}/dy', shape)
        y.backward(torch.tensor(dy))
        old = {'movingMean': random(f'{name}/mean', [channels]), 'movingVariance': 1.5 + random(f'{name}/variance', [channels])}
        rows = double(x).reshape(-1, channels)
        now = {'movingMean': rows.mean(axis=0), 'movingVariance': rows.var(axis=0)}  # Keras moves by the biased variance
        parts = {'x': single(double(x)), 'dy': single(dy), 'y': double(y), 'd x': double(x.grad)}
        for key, weight in (('gamma', gamma), ('beta', beta)):
            if weight is not None:
                parts[key], parts[f'd {key}'] = single(double(weight)), double(weight.grad)
        for key in old:
            parts[key], parts[f'next {key}'] = single(old[key]), momentum * old[key] + (1 - momentum) * now[key]
        cases.append({'name': name, 'options': {'momentum': momentum, 'epsilon': epsilon, 'scale': scale, 'center': center}})
        tensors.update({f'{name}/{key}': value for key, value in parts.items()})
    write('batch-normalization', 'Batch normalisation in training, gradients and running statistics', cases, tensors)
