"""convolution.safetensors: convolutions of rank 1 to 3 with both gradients, exact in float64."""
import numpy as np
import torch
import torch.nn.functional as F

from tensors import borders, channels_first, channels_last, kernel_for_torch, pad
from tensors import check, double, leaf, random, single, write

# Keras's own one-dimensional goldens: name, x, kernel, attributes, y; where x is a size, y is dy and dx is wanted.
KERAS_CONVOLUTIONS = [
    ('keras-not-flipped', [1, 2, 3, 4, 5], [1, 0, -1], {}, [-2, -2, -2]),
    ('keras-same-window-2', [1, 2, 3, 4, 5], [1] * 2, {'padding': 'same'}, [3, 5, 7, 9, 5]),
    ('keras-same-window-4', [1, 2, 3, 4, 5], [1] * 4, {'padding': 'same'}, [6, 10, 14, 12, 9]),
    ('keras-same-stride-2-of-6', [1, 2, 3, 4, 5, 6], [1] * 3, {'padding': 'same', 'strides': [2]}, [6, 12, 11]),
    ('keras-same-stride-2-of-5', [1, 2, 3, 4, 5], [1] * 3, {'padding': 'same', 'strides': [2]}, [3, 9, 9]),
    ('keras-same-stride-3', [1, 2, 3, 4, 5], [1] * 2, {'padding': 'same', 'strides': [3]}, [3, 9]),
    ('keras-same-dilation-2', [1, 2, 3, 4, 5], [1] * 3, {'padding': 'same', 'dilation': [2]}, [4, 6, 9, 6, 8]),
    ('keras-causal', [1, 2, 3, 4, 5], [1] * 3, {'padding': [[2, 0]]}, [1, 3, 6, 9, 12]),
]
KERAS_TRANSPOSED = [
    ('keras-transposed-valid', 7, [1, 2, 3], {'strides': [2]}, [1, 2, 3], [1, 2, 5, 4, 9, 6, 9]),
    ('keras-transposed-same', 6, [1, 2, 3], {'strides': [2], 'padding': 'same'}, [1, 2, 3], [1, 2, 5, 4, 9, 6]),
]

CONVOLUTIONS = [
    ('1d-valid', [2, 7, 3], [3, 3, 5], {}),
    ('1d-same-even-stride-3', [2, 11, 3], [4, 3, 5], {'strides': [3], 'padding': 'same'}),
    ('1d-causal-dilation-3', [2, 9, 4], [2, 4, 3], {'dilation': [3], 'padding': [[3, 0]]}),
    ('valid', [2, 6, 5, 3], [3, 3, 3, 4], {}),
    ('same', [2, 5, 7, 5], [3, 3, 5, 7], {'padding': 'same'}),
    ('same-3x2', [2, 7, 6, 2], [3, 2, 2, 5], {'padding': 'same'}),
    ('same-4x4', [1, 9, 8, 3], [4, 4, 3, 6], {'padding': 'same'}),
    ('same-strides-2-3', [1, 8, 7, 4], [3, 3, 4, 8], {'strides': [2, 3], 'padding': 'same'}),
    ('valid-stride-2-last-row-unused', [2, 8, 10, 3], [3, 3, 3, 4], {'strides': [2, 2]}),
    ('same-stride-beyond-window', [1, 8, 5, 3], [2, 2, 3, 4], {'strides': [3, 1], 'padding': 'same'}),
    ('padding-uneven', [2, 5, 5, 4], [3, 3, 4, 6], {'padding': [[1, 0], [0, 2]]}),
    ('padding-uneven-stride-2', [1, 6, 9, 3], [3, 3, 3, 5], {'strides': [2, 2], 'padding': [[2, 1], [0, 3]]}),
    ('padding-beyond-window', [1, 4, 5, 2], [2, 2, 2, 3], {'padding': [[3, 3], [0, 2]]}),
    ('dilation-2-valid', [1, 9, 8, 2], [2, 3, 2, 3], {'dilation': [2, 2]}),
    ('dilation-1-3-same', [2, 7, 11, 3], [3, 3, 3, 5], {'dilation': [1, 3], 'padding': 'same'}),
    ('dilation-2-stride-2-same', [1, 11, 9, 2], [3, 3, 2, 4], {'strides': [2, 2], 'dilation': [2, 2], 'padding': 'same'}),
    ('groups-2-padding-uneven', [2, 5, 5, 4], [3, 3, 2, 6], {'groups': 2, 'padding': [[1, 0], [0, 2]]}),
    ('groups-3-same', [1, 6, 7, 9], [3, 3, 3, 6], {'groups': 3, 'padding': 'same'}),
    ('depthwise-stride-2-same', [1, 6, 6, 5], [3, 3, 1, 5], {'groups': 5, 'strides': [2, 2], 'padding': 'same'}),
    ('depthwise-8-same', [2, 7, 7, 8], [3, 3, 1, 8], {'groups': 8, 'padding': 'same'}),
    ('depthwise-two-filters-each', [2, 5, 6, 3], [3, 3, 1, 6], {'groups': 3}),
    ('depthwise-multiplier-2-stride-2-same', [2, 7, 10, 7], [3, 3, 1, 14],
     {'groups': 7, 'strides': [2, 2], 'padding': 'same'}),
    ('depthwise-multiplier-3-dilation', [1, 9, 8, 8], [3, 2, 1, 24], {'groups': 8, 'dilation': [2, 3]}),
    ('depthwise-33-even-same', [1, 5, 11, 33], [4, 2, 1, 33], {'groups': 33, 'padding': 'same'}),
    ('depthwise-5x5-stride-3-uneven', [2, 12, 21, 4], [5, 5, 1, 4],
     {'groups': 4, 'strides': [3, 3], 'padding': [[2, 1], [0, 3]]}),
    ('pointwise', [2, 5, 4, 6], [1, 1, 6, 9], {}),
    ('pointwise-stride-2', [2, 7, 6, 8], [1, 1, 8, 16], {'strides': [2, 2], 'padding': 'same'}),
    ('one-channel-to-20', [1, 12, 14, 1], [5, 5, 1, 20], {'padding': 'same'}),
    ('13-to-18', [2, 9, 7, 13], [3, 3, 13, 18], {'padding': 'same'}),
    ('16-to-32', [2, 8, 8, 16], [3, 3, 16, 32], {'padding': 'same'}),
    ('lenet-20-to-50', [2, 14, 14, 20], [5, 5, 20, 50], {'padding': 'same'}),
    ('stem-7x7-stride-2', [1, 15, 16, 3], [7, 7, 3, 8], {'strides': [2, 2], 'padding': 'same'}),
    ('window-is-input', [3, 4, 5, 3], [4, 5, 3, 7], {}),
    ('window-beyond-input-same', [1, 2, 3, 2], [5, 5, 2, 3], {'padding': 'same'}),
    ('one-filter', [2, 6, 6, 3], [3, 3, 3, 1], {'padding': 'same'}),
    ('3d-same', [1, 4, 5, 6, 2], [2, 3, 3, 2, 4], {'strides': [1, 2, 1], 'padding': 'same'}),
    ('3d-dilation', [2, 5, 4, 4, 3], [3, 2, 2, 3, 5], {'dilation': [2, 1, 1]}),
    ('3d-groups-padding', [1, 4, 4, 4, 4], [2, 2, 2, 2, 6],
     {'groups': 2, 'strides': [2, 2, 2], 'padding': [[1, 0], [0, 1], [1, 1]]}),
]


def convolve(x, kernel, attrs):
    rank = x.dim() - 2
    border = borders(x.shape[1:-1], kernel.shape[:rank], attrs['strides'], attrs['dilation'], attrs['padding'])
    conv = [F.conv1d, F.conv2d, F.conv3d][rank - 1]
    y = conv(pad(channels_first(x), border, 0), kernel_for_torch(kernel), None,
             stride=attrs['strides'], dilation=attrs['dilation'], groups=attrs['groups'])
    return channels_last(y)


def convolution_case(name, x, kernel, given, dy=None):
    rank = np.ndim(x) - 2
    attrs = {'strides': [1] * rank, 'dilation': [1] * rank, 'padding': 'valid', 'groups': 1, **given}
    x, kernel = leaf(x), leaf(kernel)
    y = convolve(x, kernel, attrs)
    dy = random(f'{name}/dy', y.shape) if dy is None else np.reshape(dy, y.shape).astype(np.float64)
    y.backward(torch.tensor(dy))
    results = {'y': double(y), 'dx': double(x.grad), 'dkernel': double(kernel.grad)}
    for result in results.values():  # sums of products of 12-bit fractions, far below 2^53 of their unit: exact
        assert np.array_equal(np.round(result * 2.0**24), result * 2.0**24) and np.abs(result).max() < 2**16
    tensors = {'x': single(double(x)), 'kernel': single(double(kernel)), 'dy': single(dy), **results}
    return {'name': name, 'attrs': attrs}, {f'{name}/{key}': value for key, value in tensors.items()}


def convolutions():
    cases, tensors = [], {}

    def add(case):
        cases.append(case[0])
        tensors.update(case[1])

    for name, x, kernel, attrs, y in KERAS_CONVOLUTIONS:
        add(convolution_case(name, np.reshape(x, [1, -1, 1]), np.reshape(kernel, [-1, 1, 1]), attrs))
        check(name, tensors[f'{name}/y'], y)
    for name, size, kernel, attrs, dy, dx in KERAS_TRANSPOSED:
        add(convolution_case(name, np.reshape(np.arange(size), [1, -1, 1]), np.reshape(kernel, [-1, 1, 1]), attrs, dy))
        check(name, tensors[f'{name}/dx'], dx)
    for name, x, kernel, attrs in CONVOLUTIONS:
        add(convolution_case(name, random(f'{name}/x', x), random(f'{name}/kernel', kernel), attrs))
    write('convolution', 'Convolutions and both gradients; values exact in float64', cases, tensors)
