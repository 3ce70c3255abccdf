"""pooling.safetensors: max and average pooling of rank 1 to 3 with the gradient; ties go to the first maximum."""
import math

import numpy as np
import torch
import torch.nn.functional as F

from tensors import borders, channels_first, channels_last, check, double, leaf, pad, random, single, write

# name, op, x, window and strides, y
KERAS_POOLS = [
    ('keras-max-same', 'maxPool', [-1, -2, -3, -4, -5], 2, 2, [-1, -3, -5]),
    ('keras-average-same', 'averagePool', [1, 2, 3, 4, 5], 2, 2, [1.5, 3.5, 5]),
    ('keras-average-same-stride-1', 'averagePool', [1, 2, 3, 4, 5], 3, 1, [1.5, 2, 3, 4, 4.5]),
]

# name, x, window, strides, padding; every row is pooled both ways
POOLS = [
    ('1d-same', [2, 9, 3], [2], [2], 'same'),
    ('1d-overlap', [2, 8, 5], [3], [2], 'valid'),
    ('2x2', [1, 8, 8, 20], [2, 2], [2, 2], 'valid'),
    ('2x2-last-row-unused', [2, 7, 5, 4], [2, 2], [2, 2], 'valid'),
    ('2x2-same-odd', [2, 7, 5, 3], [2, 2], [2, 2], 'same'),
    ('3x3-stride-2-same', [2, 7, 6, 5], [3, 3], [2, 2], 'same'),
    ('3x3-stride-2-valid', [2, 8, 9, 6], [3, 3], [2, 2], 'valid'),
    ('3x3-stride-1-same', [1, 6, 6, 8], [3, 3], [1, 1], 'same'),
    ('3x2-strides-2-1', [2, 5, 6, 3], [3, 2], [2, 1], 'valid'),
    ('3x3-stride-2-padding-1', [1, 8, 8, 13], [3, 3], [2, 2], [[1, 1], [1, 1]]),
    ('2x2-stride-3-padding-uneven', [1, 7, 7, 2], [2, 2], [3, 3], [[0, 1], [1, 0]]),
    ('window-is-input', [2, 4, 5, 7], [4, 5], [4, 5], 'valid'),
    ('3d-same', [1, 4, 5, 6, 2], [2, 2, 3], [2, 2, 2], 'same'),
    ('3d-overlap', [1, 4, 4, 5, 3], [2, 2, 2], [1, 1, 1], 'valid'),
]

# Max-pools with equal values in a window: name, x, window, strides, padding, how x is made
TIES = [
    ('ties-1d', [2, 9, 4], [3], [2], 'same', 'three values'),
    ('ties-3x3-stride-1', [2, 6, 6, 5], [3, 3], [1, 1], 'same', 'three values'),
    ('ties-3x3-stride-2', [1, 9, 8, 7], [3, 3], [2, 2], 'valid', 'three values'),
    ('ties-after-relu', [2, 8, 8, 6], [2, 2], [2, 2], 'valid', 'relu'),
    ('ties-all-equal', [1, 5, 5, 2], [3, 3], [2, 2], 'same', 'one value'),
    ('ties-3d', [1, 4, 5, 4, 3], [2, 2, 2], [1, 2, 1], 'same', 'three values'),
]
MAKE_TIES = {
    'three values': lambda x: np.floor((x + 1) * 1.5),
    'relu': lambda x: np.maximum(x, 0),
    'one value': lambda x: np.full_like(x, -2),
}


def pool(op, x, attrs):
    """Padding never takes part: -inf for a maximum; for an average, zeros over the number of elements inside."""
    window, strides = attrs['window'], attrs['strides']
    border = borders(x.shape[1:-1], window, strides, [1] * len(window), attrs['padding'])
    rank = len(window)
    if op == 'maxPool':
        max_pool = [F.max_pool1d, F.max_pool2d, F.max_pool3d][rank - 1]
        return channels_last(max_pool(pad(channels_first(x), border, -math.inf), window, strides))
    average_pool = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][rank - 1]

    def over_window(values):
        return channels_last(average_pool(pad(channels_first(values), border, 0), window, strides))

    return over_window(x) / over_window(torch.ones_like(x.detach()))


def first_maximum_gradient(x, dy, attrs):
    """dy sent to the first maximum of its window in row-major order, by loops: torch's CPU kernels must do the same."""
    window, strides = attrs['window'], attrs['strides']
    border = borders(x.shape[1:-1], window, strides, [1] * len(window), attrs['padding'])
    dx = np.zeros_like(x)
    for n, *at, channel in np.ndindex(*dy.shape):
        best = None
        for offset in np.ndindex(*window):
            place = [o * s - before + k for o, s, k, (before, _) in zip(at, strides, offset, border)]
            if any(p < 0 or p >= size for p, size in zip(place, x.shape[1:-1])):
                continue
            index = (n, *place, channel)
            if best is None or x[index] > x[best]:
                best = index
        dx[best] += dy[(n, *at, channel)]
    return dx


def pool_case(name, op, x, attrs):
    x = leaf(x)
    y = pool(op, x, attrs)
    dy = random(f'{name}/dy', y.shape)
    y.backward(torch.tensor(dy))
    if op == 'maxPool':
        assert np.array_equal(double(x.grad), first_maximum_gradient(double(x), dy, attrs)), name
    tensors = {'x': single(double(x)), 'dy': single(dy), 'y': double(y), 'dx': double(x.grad)}
    return {'name': name, 'op': op, 'attrs': attrs}, {f'{name}/{key}': value for key, value in tensors.items()}


def pools():
    cases, tensors = [], {}

    def add(name, op, x, window, strides, padding):
        attrs = {'window': window, 'strides': strides, 'padding': padding}
        case, more = pool_case(name, op, x, attrs)
        cases.append(case)
        tensors.update(more)

    for name, op, x, window, stride, y in KERAS_POOLS:
        add(name, op, np.reshape(x, [1, -1, 1]), [window], [stride], 'same')
        check(name, tensors[f'{name}/y'], y, 1e-15)
    for name, shape, *attrs in POOLS:
        add(f'max-{name}', 'maxPool', random(name, shape), *attrs)
        add(f'average-{name}', 'averagePool', random(name, shape), *attrs)
    for name, shape, window, strides, padding, how in TIES:
        add(f'max-{name}', 'maxPool', MAKE_TIES[how](random(name, shape)), window, strides, padding)
    write('pooling', 'Max and average pooling and their gradients; ties go to the first maximum', cases, tensors)
