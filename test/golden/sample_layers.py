"""
sample-layers.safetensors: layers that look at a sample by itself (normalisation of several kinds, given statistics, resizing), with
their gradients, by PyTorch. Write it again: /usr/bin/python3 test/golden/sample_layers.py
"""
import os
import sys

sys.dont_write_bytecode = True
os.environ.update(ATEN_CPU_CAPABILITY='default', OPENBLAS_CORETYPE='Nehalem', OPENBLAS_NUM_THREADS='1')

import numpy as np
import torch
import torch.nn.functional as F

from tensors import channels_first, channels_last, check, double, leaf, random, single, write


def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=1e-3, **_):
    """F.layer_norm wants its axes last: they are brought there and back."""
    axes = sorted(a % x.dim() for a in (axis if isinstance(axis, list) else [axis]))
    order = [a for a in range(x.dim()) if a not in axes] + axes
    y = F.layer_norm(x.permute(order), [x.shape[a] for a in axes], gamma, beta, epsilon)
    return y.permute([order.index(a) for a in range(x.dim())])


def group_normalization(x, gamma=None, beta=None, groups=32, axis=-1, epsilon=1e-3, **_):
    first = x.movedim(axis, 1)
    if gamma is None:  # torch's gradient fails where only beta is there
        gamma = torch.ones(first.shape[1], dtype=x.dtype)
    return F.group_norm(first, first.shape[1] if groups == -1 else groups, gamma, beta, epsilon).movedim(1, axis)


def unit_normalization(x, axis=-1):
    if not isinstance(axis, list):
        return F.normalize(x, dim=axis, eps=1e-12)
    return x / x.norm(dim=axis, keepdim=True).clamp_min(1e-12)


def local_response(x, size=5, alpha=1e-4, beta=0.75, k=1.0):
    return channels_last(F.local_response_norm(channels_first(x), size, alpha, beta, k))


def normalization(x, mean, variance, axis=-1, invert=False):
    """Keras's formula; one number per place of the axes."""
    axes = sorted(a % x.dim() for a in (axis if isinstance(axis, list) else [axis]))
    sizes = [n if a in axes else 1 for a, n in enumerate(x.shape)]
    mean, variance = (torch.tensor(v, dtype=x.dtype).reshape(sizes if isinstance(v, list) else []) for v in (mean, variance))
    deviation = variance.sqrt().clamp_min(1e-7)
    return x * deviation + mean if invert else (x - mean) / deviation


def resizing(x, height, width, interpolation='bilinear', antialias=True):
    smooth = {'align_corners': False, 'antialias': antialias} if interpolation == 'bilinear' else {}
    mode = interpolation if interpolation == 'bilinear' else 'nearest-exact'
    return channels_last(F.interpolate(channels_first(x), size=(height, width), mode=mode, **smooth))


def center_crop(x, height, width):
    top, left = (x.shape[1] - height) // 2, (x.shape[2] - width) // 2
    return x[:, top:top + height, left:left + width]


LAYERS = {
    'layerNormalization': layer_normalization, 'groupNormalization': group_normalization, 'unitNormalization': unit_normalization,
    'localResponseNormalization': local_response, 'normalization': normalization, 'resizing': resizing, 'centerCrop': center_crop,
    'rescaling': lambda x, scale, offset=0.0: x * torch.tensor(scale, dtype=x.dtype) + torch.tensor(offset, dtype=x.dtype),
}

images = [2, 6, 5, 4]
without = {'scale': False, 'center': False}
# layer, options, shape of x, shape of gamma and of beta; how far x lies from zero
CASES = [
    ('layerNormalization', {}, images, [4]),
    ('layerNormalization', {'epsilon': 1e-5}, [3, 37], [37]),
    ('layerNormalization', {'axis': [1, 2, 3]}, images, [6, 5, 4]),
    ('layerNormalization', {'axis': [-2, -1]}, [2, 2, 3, 18], [3, 18]),
    ('layerNormalization', {'axis': 1}, images, [6]),
    ('layerNormalization', {'axis': [1, 3]}, images, [6, 4]),
    ('layerNormalization', {'scale': False}, [2, 5, 9], [9]),
    ('layerNormalization', {'center': False}, [2, 5, 9], [9]),
    ('layerNormalization', without, [2, 2, 33], []),
    ('layerNormalization', {}, [2, 3, 20], [20], 64),
    ('groupNormalization', {'groups': 2}, images, [4]),
    ('groupNormalization', {'groups': -1, 'epsilon': 1e-5}, images, [4]),
    ('groupNormalization', {'groups': 1}, images, [4]),
    ('groupNormalization', {}, [2, 1, 3, 64], [64]),
    ('groupNormalization', {'groups': 3}, [2, 7, 9], [9]),
    ('groupNormalization', {'groups': 2}, [3, 10], [10]),
    ('groupNormalization', {'groups': 3}, [2, 2, 3, 2, 6], [6]),
    ('groupNormalization', {'groups': 3, 'axis': 1}, images, [6]),
    ('groupNormalization', {'groups': 4, **without}, [2, 4, 4, 8], []),
    ('groupNormalization', {'groups': 2, 'scale': False}, images, [4]),
    ('groupNormalization', {'groups': 2}, images, [4], 64),
    ('unitNormalization', {}, images, []),
    ('unitNormalization', {'axis': [1, 2]}, images, []),
    ('unitNormalization', {'axis': 1}, [3, 37], []),
    ('localResponseNormalization', {}, [1, 1, 2, 96], []),
    ('localResponseNormalization', {'size': 5, 'alpha': 2.0, 'k': 2.0}, [2, 5, 3, 19], []),
    ('localResponseNormalization', {'size': 4, 'alpha': 1.5, 'beta': 0.5}, [3, 2, 11], []),
    ('localResponseNormalization', {'size': 3, 'alpha': 1.0, 'beta': 1.0, 'k': 0.5}, [2, 3, 3, 4], []),
    ('localResponseNormalization', {'size': 9, 'alpha': 3.0, 'beta': 1.25}, [2, 2, 3, 3], []),
    ('localResponseNormalization', {'size': 1, 'alpha': 1.0}, [2, 3, 5], []),
    ('normalization', {'mean': [0.5, -1.0, 0.25, 2.0], 'variance': [1.0, 4.0, 0.25, 0.0625]}, images, []),
    ('normalization', {'mean': [0.5, -1.0, 0.25, 2.0], 'variance': [1.0, 4.0, 0.25, 0.0625], 'invert': True}, images, []),
    ('normalization', {'mean': 0.5, 'variance': 4.0}, [3, 7], []),
    ('normalization', {'axis': [1, 2], 'mean': [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 'variance': [1.0, 4.0, 0.25, 16.0, 64.0, 0.0625]}, [2, 2, 3, 4], []),
    ('rescaling', {'scale': [0.25, 0.5, 2.0, 1.0], 'offset': [1.0, 0.0, -1.0, 0.5]}, images, []),
    ('rescaling', {'scale': 0.25, 'offset': [1.0, 0.0, -1.0, 0.5]}, images, []),
    *[('resizing', {'height': h, 'width': w, 'interpolation': 'bilinear', 'antialias': a}, [2, 6, 5, 3], [])
      for h, w in ((9, 11), (3, 2), (6, 4), (1, 7)) for a in (False, True)],
    *[('resizing', {'height': h, 'width': w, 'interpolation': 'nearest'}, [2, 6, 5, 3], []) for h, w in ((9, 11), (4, 3))],
    ('resizing', {'height': 7, 'width': 7, 'antialias': True}, [1, 16, 16, 1], []),
    ('centerCrop', {'height': 3, 'width': 3}, images, []),
    ('centerCrop', {'height': 6, 'width': 2}, images, []),
]


def case(i, layer, options, shape, sizes, offset=0):
    name = f'{layer} {i}'
    numbers = {'x': 4 * random(f'{name}/x', shape) + offset}
    if sizes:
        numbers.update({key: random(f'{name}/{key}', sizes) for key, flag in (('gamma', 'scale'), ('beta', 'center')) if options.get(flag, True)})
    leaves = {key: leaf(value) for key, value in numbers.items()}
    y = LAYERS[layer](**leaves, **options)
    dy = random(f'{name}/dy', list(y.shape))
    y.backward(torch.tensor(dy))
    parts = {key: single(value) for key, value in numbers.items()}
    parts.update({'dy': single(dy), 'y': double(y), **{f'd {key}': double(value.grad) for key, value in leaves.items()}})
    about = {'name': name, 'layer': layer, 'options': options, 'weights': [key for key in numbers if key != 'x'], 'offset': offset}
    return about, {f'{name}/{key}': np.ascontiguousarray(value) for key, value in parts.items()}


def keras():
    """What Keras 3.15 printed (expectations.md, B2)."""
    x = torch.arange(16, dtype=torch.float64).reshape(1, 4, 4, 1)
    check('resizing', resizing(x, 2, 2, antialias=False), [2.5, 4.5, 10.5, 12.5])
    check('resizing, antialias', resizing(x, 2, 2, antialias=True).ravel()[:2], [3.5714, 5.1429], 1e-4)


if __name__ == '__main__':
    torch.set_num_threads(1)
    keras()
    results = [case(i, *row) for i, row in enumerate(CASES)]
    tensors = {key: value for _, more in results for key, value in more.items()}
    write('sample-layers', 'Layers that look at a sample by itself, with gradients', [about for about, _ in results], tensors)
