"""
windows.safetensors: layers whose window slides and what goes the other way, in prediction and with the gradients of the sum of y
times `dy`: separable and transposed convolutions, upsampling, cropping, adaptive poolings, means with a border that counts,
merges of one number per channel. By PyTorch's own functions; values that Keras 3.15 gives (expectations.md, B2) are asserted.

    /usr/bin/python3 test/golden/windows.py
"""
import os
import sys

sys.dont_write_bytecode = True
os.environ.update(ATEN_CPU_CAPABILITY='default', OPENBLAS_CORETYPE='Nehalem', OPENBLAS_NUM_THREADS='1')


import numpy as np
import torch
import torch.nn.functional as F

from layers import convolution, of_rank, per_axis
from tensors import borders, channels_first, channels_last, check, double, kernel_for_torch, leaf, pad, random, single, write


def conv(x, kernel, bias=None, filters=0, kernelSize=0, useBias=True, padding='valid', dilationRate=1, **options):
    if padding == 'causal':
        padding = [[(kernel.shape[0] - 1) * dilationRate, 0]]
    return convolution(x, kernel, bias, padding=padding, dilationRate=dilationRate, **options)


def separable_conv(x, depthwiseKernel, pointwiseKernel, bias=None, depthMultiplier=1, **options):
    *window, channels, multiplier = depthwiseKernel.shape
    apart = conv(x, depthwiseKernel.reshape(*window, 1, channels * multiplier), groups=channels, **{**options, 'activation': 'linear'})
    return conv(apart, pointwiseKernel, bias, activation=options.get('activation', 'linear'))


def keras_cut(padding, n, stride, extent, extra):
    """Of a whole result: what Keras cuts off in front, and how long its own is (its arguments for JAX)."""
    whole = (n - 1) * stride + extent
    if padding == 'valid':
        return 0, whole + (max(extent, stride) - extent if extra is None else extra)
    length = stride + extent - 2 if extra is None else extent + extent % 2 - 2 + extra
    left = min(length // 2 + length % 2, extent - 1)
    return extent - 1 - left, n * stride if extra is None else (n - 1) * stride + extent % 2 + extra


def conv_transpose(x, kernel, bias=None, filters=0, kernelSize=0, strides=1, padding='valid', outputPadding=None, dilationRate=1,
                   groups=1, useBias=True):
    strides, dilation = per_axis(strides, x), per_axis(dilationRate, x)
    convolve = of_rank('conv_transpose', x)
    weights = kernel_for_torch(kernel)  # [channels, filters / groups, ...window]
    if not isinstance(padding, str):
        extra = per_axis(outputPadding or 0, x)
        y = convolve(channels_first(x), weights, bias, strides, [before for before, _ in padding], extra, groups, dilation)
        return channels_last(y)
    y = channels_last(convolve(channels_first(x), weights, None, strides, 0, 0, groups, dilation))
    for axis, stride in enumerate(strides):
        extent = (kernel.shape[axis] - 1) * dilation[axis] + 1
        extra = outputPadding if outputPadding is None or isinstance(outputPadding, int) else outputPadding[axis]
        first, size = keras_cut(padding, x.shape[axis + 1], stride, extent, extra)
        room = max(0, first + size - y.shape[axis + 1])
        y = F.pad(y, [0, 0] * (y.dim() - axis - 2) + [0, room]).narrow(axis + 1, first, size)
    return y if bias is None else y + bias


def up_sampling(x, size=2, interpolation='nearest'):
    if interpolation == 'nearest':
        for axis, k in enumerate(per_axis(size, x)):
            x = x.repeat_interleave(k, dim=axis + 1)
        return x
    factors = [float(k) for k in per_axis(size, x)]
    return channels_last(F.interpolate(channels_first(x), scale_factor=factors, mode='bilinear', align_corners=False))


def cropping(x, cropping):
    for axis, (before, after) in enumerate(cropping):
        x = x.narrow(axis + 1, before, x.shape[axis + 1] - before - after)
    return x


def average_pooling(x, poolSize=2, strides=None, padding='valid', countPadding=False):
    window = per_axis(poolSize, x)
    strides = window if strides is None else per_axis(strides, x)
    pool = of_rank('avg_pool', x)
    if not isinstance(padding, str) and all(before == after for before, after in padding):
        return channels_last(pool(channels_first(x), window, strides, [before for before, _ in padding], False, True))
    sides = borders(x.shape[1:-1], window, strides, [1] * len(window), padding)
    return channels_last(pool(pad(channels_first(x), sides, 0.0), window, strides))


def adaptive(way):
    def pool(x, outputSize):
        return channels_last(of_rank(f'adaptive_{way}_pool', x)(channels_first(x), per_axis(outputSize, x)))
    return pool


FAMILIES = {
    'conv{}d': conv, 'separableConv{}d': separable_conv, 'conv{}dTranspose': conv_transpose, 'upSampling{}d': up_sampling,
    'cropping{}d': cropping, 'averagePooling{}d': average_pooling,
    'adaptiveAveragePooling{}d': adaptive('avg'), 'adaptiveMaxPooling{}d': adaptive('max'),
}
LAYERS = {
    **{family.format(rank): function for family, function in FAMILIES.items() for rank in (1, 2, 3)},
    'add': torch.add, 'subtract': torch.sub, 'multiply': torch.mul, 'maximum': torch.maximum,
    'average': lambda *x: sum(x) / len(x),
}

line, images, volumes = [2, 9, 4], [2, 6, 5, 4], [2, 4, 5, 3, 4]
few, small = [2, 3, 4, 4], [1, 2, 3, 2, 4]
squeezed = [2, 1, 1, 4]
# layer, options, shapes of the inputs, shapes of the weights
CASES = [
    ('conv1d', {'filters': 5, 'kernelSize': 3, 'padding': 'causal'}, [line], {'kernel': [3, 4, 5], 'bias': [5]}),
    ('conv1d', {'filters': 6, 'kernelSize': 2, 'padding': 'causal', 'dilationRate': 3, 'groups': 2, 'useBias': False}, [line], {'kernel': [2, 2, 6]}),
    ('conv1d', {'filters': 3, 'kernelSize': 4, 'padding': 'causal', 'strides': 2}, [line], {'kernel': [4, 4, 3], 'bias': [3]}),
    ('conv1d', {'filters': 4, 'kernelSize': 4, 'padding': 'same', 'dilationRate': 2, 'groups': 4}, [line], {'kernel': [4, 1, 4], 'bias': [4]}),
    ('conv3d', {'filters': 6, 'kernelSize': 2, 'padding': 'same', 'dilationRate': [1, 2, 1], 'groups': 2}, [volumes], {'kernel': [2, 2, 2, 2, 6], 'bias': [6]}),
    ('conv3d', {'filters': 3, 'kernelSize': [3, 2, 2], 'padding': 'same', 'strides': [2, 1, 2]}, [volumes], {'kernel': [3, 2, 2, 4, 3], 'bias': [3]}),
    ('separableConv1d', {'filters': 5, 'kernelSize': 3, 'padding': 'same', 'depthMultiplier': 2}, [line], {'depthwiseKernel': [3, 4, 2], 'pointwiseKernel': [1, 8, 5], 'bias': [5]}),
    ('separableConv1d', {'filters': 3, 'kernelSize': 2, 'padding': 'causal', 'dilationRate': 2, 'useBias': False}, [line], {'depthwiseKernel': [2, 4, 1], 'pointwiseKernel': [1, 4, 3]}),
    ('separableConv2d', {'filters': 6, 'kernelSize': 3, 'strides': 2, 'padding': 'same', 'activation': 'relu'}, [images], {'depthwiseKernel': [3, 3, 4, 1], 'pointwiseKernel': [1, 1, 4, 6], 'bias': [6]}),
    ('separableConv2d', {'filters': 3, 'kernelSize': [2, 3], 'depthMultiplier': 3, 'padding': [[1, 0], [0, 2]]}, [images], {'depthwiseKernel': [2, 3, 4, 3], 'pointwiseKernel': [1, 1, 12, 3], 'bias': [3]}),
    *[('conv1dTranspose', {'filters': 3, 'kernelSize': k, **options}, [[2, 5, 4]], {'kernel': [k, 3, 4], 'bias': [3]})
      for k, options in ((3, {}), (3, {'strides': 2}), (3, {'strides': 2, 'padding': 'same'}), (2, {'strides': 3}),
                         (2, {'strides': 3, 'padding': 'same'}), (4, {'strides': 2, 'padding': 'same'}),
                         (4, {'strides': 3, 'padding': 'same', 'outputPadding': 2}), (3, {'strides': 2, 'padding': 'same', 'outputPadding': 1}),
                         (1, {'strides': 2, 'padding': 'same', 'outputPadding': 1}), (3, {'strides': 3, 'outputPadding': 2}),
                         (3, {'dilationRate': 2, 'padding': 'same'}), (3, {'strides': 2, 'padding': [[1, 1]], 'outputPadding': 1}))],
    *[('conv2dTranspose', {'filters': 6, 'kernelSize': 3, **options}, [few], {'kernel': [3, 3, 6 // options.get('groups', 1), 4], 'bias': [6]})
      for options in ({}, {'strides': 2, 'padding': 'same'}, {'strides': [2, 3]}, {'strides': 2, 'padding': [[1, 1], [1, 1]], 'outputPadding': 1},
                      {'strides': 2, 'padding': 'same', 'groups': 2}, {'strides': 2, 'dilationRate': 2, 'padding': [[2, 2], [0, 0]]})],
    ('conv2dTranspose', {'filters': 20, 'kernelSize': 4, 'strides': 2, 'padding': 'same', 'useBias': False}, [few], {'kernel': [4, 4, 20, 4]}),
    ('conv2dTranspose', {'filters': 4, 'kernelSize': 4, 'strides': 2, 'padding': 'same', 'groups': 4}, [few], {'kernel': [4, 4, 1, 4], 'bias': [4]}),
    ('conv3dTranspose', {'filters': 3, 'kernelSize': 2, 'strides': 2}, [small], {'kernel': [2, 2, 2, 3, 4], 'bias': [3]}),
    ('conv3dTranspose', {'filters': 2, 'kernelSize': [3, 2, 3], 'strides': [2, 1, 2], 'padding': 'same', 'groups': 2}, [small], {'kernel': [3, 2, 3, 1, 4], 'bias': [2]}),
    ('upSampling1d', {}, [[2, 5, 3]], {}), ('upSampling1d', {'size': 3}, [[2, 4, 4]], {}),
    ('upSampling2d', {}, [few], {}), ('upSampling2d', {'size': [3, 1]}, [few], {}), ('upSampling3d', {'size': [2, 1, 3]}, [small], {}),
    *[('upSampling2d', {'size': size, 'interpolation': 'bilinear'}, [shape], {})
      for size, shape in ((2, few), ([3, 2], few), (4, [1, 1, 3, 2]), ([1, 5], [1, 2, 2, 5]))],
    ('cropping1d', {'cropping': [[1, 2]]}, [line], {}), ('cropping2d', {'cropping': [[1, 0], [2, 1]]}, [images], {}),
    ('cropping3d', {'cropping': [[1, 2], [0, 1], [1, 0]]}, [volumes], {}),
    *[(f'averagePooling{rank}d', {'poolSize': 3, 'strides': 2, 'padding': [[1, 1]] * rank, 'countPadding': True}, [shape], {})
      for rank, shape in ((1, line), (2, images), (3, volumes))],
    ('averagePooling2d', {'poolSize': 3, 'strides': 1, 'padding': 'same', 'countPadding': True}, [images], {}),
    ('averagePooling2d', {'poolSize': [2, 3], 'padding': [[0, 1], [2, 1]], 'countPadding': True}, [images], {}),
    *[(f'adaptive{way}Pooling{rank}d', {'outputSize': size}, [shape], {}) for way in ('Average', 'Max') for rank, size, shape in (
        (1, 3, line), (1, 4, line), (1, 7, [1, 10, 3]), (2, [2, 5], images), (2, [4, 3], images), (2, 7, few), (2, 1, images),
        (3, [2, 3, 2], volumes))],
    *[(layer, {}, shapes, {}) for layer in ('multiply', 'add', 'subtract', 'maximum', 'average') for shapes in ([images, squeezed],)],
    ('multiply', {}, [squeezed, images], {}), ('add', {}, [images, [2, 6, 5, 1]], {}),
]


def keras():
    """What Keras 3.15 printed."""
    x = torch.tensor([[[1.0], [2.0], [3.0]]], dtype=torch.float64)
    kernel = torch.tensor([[[1.0]], [[2.0]], [[3.0]]], dtype=torch.float64)
    check('transposed valid', conv_transpose(x, kernel, strides=2), [1, 2, 5, 4, 9, 6, 9])
    check('transposed same', conv_transpose(x, kernel, strides=2, padding='same'), [1, 2, 5, 4, 9, 6])
    five = torch.arange(1.0, 6.0, dtype=torch.float64).reshape(1, 5, 1)
    check('causal', conv(five, torch.ones(3, 1, 1, dtype=torch.float64), padding='causal'), [1, 3, 6, 9, 12])
    row = torch.arange(4.0, dtype=torch.float64).reshape(1, 1, 4, 1)
    check('bilinear', up_sampling(row, [1, 2], 'bilinear'), [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    check('counted', average_pooling(five, 3, 1, [[1, 1]], True), [1, 2, 3, 4, 3])


def windows():
    keras()
    cases, tensors = [], {}
    for i, (layer, options, shapes, weights) in enumerate(CASES):
        name = f'{layer} {i}'
        inputs = [leaf(8 * random(f'{name}/x{k}', shape)) for k, shape in enumerate(shapes)]
        values = {key: leaf(random(f'{name}/{key}', shape)) for key, shape in weights.items()}
        y = LAYERS[layer](*inputs, **values, **options)
        dy = random(f'{name}/dy', list(y.shape))
        (y * torch.tensor(dy)).sum().backward()
        cases.append({'name': name, 'layer': layer, 'options': options, 'inputs': len(inputs), 'weights': list(weights)})
        parts = {**{f'x{k}': single(x.detach()) for k, x in enumerate(inputs)}, **{key: single(v.detach()) for key, v in values.items()}}
        flows = {**{f'x{k}': x for k, x in enumerate(inputs)}, **values}
        parts.update({'y': double(y), 'dy': single(dy), **{f'd{key}': double(v.grad) for key, v in flows.items()}})
        tensors.update({f'{name}/{key}': np.ascontiguousarray(value) for key, value in parts.items()})
    write('windows', 'Layers with windows, in prediction and with gradients', cases, tensors)


if __name__ == '__main__':
    torch.set_num_threads(1)
    windows()
