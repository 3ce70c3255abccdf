"""normalization.safetensors: batch normalisation with its gradients, by the batch's own moments and by given ones."""
import numpy as np
import torch.nn.functional as F

from tensors import channels_first, channels_last, double, leaf, random, single, write

# name, shape, epsilon, with gamma and beta, by the batch's moments
CASES = [
    ('images', [4, 5, 6, 3], 1e-3, True, True),
    ('many-channels', [3, 4, 4, 18], 1e-3, True, True),
    ('rows', [9, 5], 1e-5, True, True),
    ('series', [3, 7, 4], 1e-3, True, True),
    ('plain', [4, 3, 3, 8], 1e-3, False, True),
    ('far-from-zero', [4, 5, 5, 2], 1e-3, True, True),
    ('given', [2, 4, 5, 6], 1e-3, True, False),
    ('given-plain', [6, 4], 1e-5, False, False),
]


# x lies around it: its mean is known to so many times fewer digits
OFFSETS = {'far-from-zero': 64}


def case(name, shape, epsilon, affine, by_batch):
    channels = shape[-1:]
    numbers = {'x': random(f'{name}/x', shape) + OFFSETS.get(name, 0), 'dy': random(f'{name}/dy', shape)}
    if affine:
        numbers.update(gamma=1 + random(f'{name}/gamma', channels) / 2, beta=random(f'{name}/beta', channels))
    if not by_batch:
        numbers.update(mean=random(f'{name}/mean', channels), variance=1.25 + random(f'{name}/variance', channels))
    leaves = {key: leaf(value) for key, value in numbers.items()}
    gamma, beta, mean, variance = (leaves.get(key) for key in ('gamma', 'beta', 'mean', 'variance'))
    given = (None, None) if by_batch else (mean.detach(), variance.detach())
    y = channels_last(F.batch_norm(channels_first(leaves['x']), *given, gamma, beta, training=by_batch, eps=epsilon))
    y.backward(leaves['dy'].detach())
    tensors = {key: single(value) for key, value in numbers.items()}
    tensors['y'] = double(y)
    for key in ('x', 'gamma', 'beta'):
        if key in leaves:
            tensors[f'd{key}'] = double(leaves[key].grad)
    about = {'name': name, 'epsilon': epsilon, 'by': 'batch' if by_batch else 'given', 'affine': affine,
             'offset': OFFSETS.get(name, 0)}
    return about, {f'{name}/{key}': np.ascontiguousarray(value) for key, value in tensors.items()}


def normalizations():
    results = [case(*row) for row in CASES]
    tensors = {key: value for _, more in results for key, value in more.items()}
    write('normalization', 'Batch normalisation with gradients', [about for about, _ in results], tensors)
