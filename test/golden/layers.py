"""layers.safetensors: what each layer gives in prediction, by PyTorch's functions; every activation is one of `activation`."""
import math

import numpy as np
import torch
import torch.nn.functional as F

from tensors import borders, channels_first, channels_last, double, kernel_for_torch, pad, random, single, write

ACTIVATIONS = {
    'linear': lambda x: x, 'relu': F.relu, 'sigmoid': torch.sigmoid, 'tanh': torch.tanh, 'selu': F.selu, 'relu6': F.relu6,
    'leakyRelu': lambda x: F.leaky_relu(x, 0.2), 'elu': F.elu, 'silu': F.silu, 'hardSigmoid': F.hardsigmoid, 'hardSwish': F.hardswish,
    'softplus': F.softplus, 'mish': F.mish, 'gelu': F.gelu, 'geluTanh': lambda x: F.gelu(x, approximate='tanh'),
    'exponential': torch.exp, 'softmax': lambda x: F.softmax(x, -1), 'logSoftmax': lambda x: F.log_softmax(x, -1),
}


def pair(n):
    return [n, n] if isinstance(n, int) else list(n)


def padded(x, window, strides, dilation, padding, value=0.0):
    sides = borders(x.shape[1:-1], window, strides, dilation, padding)
    return pad(channels_first(x), sides, value)


def convolution(x, kernel, bias, strides=1, padding='valid', dilationRate=1, groups=1, activation='linear'):
    strides, dilation = pair(strides), pair(dilationRate)
    x = padded(x, kernel.shape[:2], strides, dilation, padding)
    y = F.conv2d(x, kernel_for_torch(kernel), bias, strides, 0, dilation, groups)
    return ACTIVATIONS[activation](channels_last(y))


def conv2d(x, kernel, bias=None, filters=0, kernelSize=0, useBias=True, **options):
    return convolution(x, kernel, bias, **options)


def depthwise_conv2d(x, kernel, bias=None, kernelSize=0, depthMultiplier=1, useBias=True, **options):
    height, width, channels, multiplier = kernel.shape
    return convolution(x, kernel.reshape(height, width, 1, channels * multiplier), bias, groups=channels, **options)


def max_pooling(x, poolSize=2, strides=None, padding='valid'):
    window, strides = pair(poolSize), pair(poolSize if strides is None else strides)
    return channels_last(F.max_pool2d(padded(x, window, strides, [1, 1], padding, -math.inf), window, strides))


def average_pooling(x, poolSize=2, strides=None, padding='valid'):
    """Padding takes no part: sums over windows, by how many of the picture they hold."""
    window, strides = pair(poolSize), pair(poolSize if strides is None else strides)
    sums = [F.avg_pool2d(padded(t, window, strides, [1, 1], padding), window, strides) for t in (x, torch.ones_like(x))]
    return channels_last(sums[0] / sums[1])


def batch_normalization(x, gamma, beta, movingMean, movingVariance, epsilon=1e-3):
    return channels_last(F.batch_norm(channels_first(x), movingMean, movingVariance, gamma, beta, False, 0, epsilon))


LAYERS = {
    'conv2d': conv2d, 'depthwiseConv2d': depthwise_conv2d, 'maxPooling2d': max_pooling, 'averagePooling2d': average_pooling,
    'globalAveragePooling2d': lambda x, keepDims=False: x.mean(dim=(1, 2), keepdim=keepDims),
    'globalMaxPooling2d': lambda x, keepDims=False: x.amax(dim=(1, 2), keepdim=keepDims),
    'zeroPadding2d': lambda x, padding: channels_last(F.pad(channels_first(x), [n for side in reversed(padding) for n in side])),
    'flatten': lambda x: torch.flatten(x, 1),
    'reshape': lambda x, targetShape: x.reshape(x.shape[0], *targetShape),
    'rescaling': lambda x, scale, offset=0: x * scale + offset,
    'dense': lambda x, kernel, bias=None, units=0, useBias=True, activation='linear': ACTIVATIONS[activation](F.linear(x, kernel.T, bias)),
    'activation': lambda x, activation: ACTIVATIONS[activation](x),
    'dropout': lambda x, rate: F.dropout(x, rate, training=False),
    'batchNormalization': batch_normalization,
    'concatenate': lambda *x, axis=-1: torch.cat(x, dim=axis),
    'add': torch.add, 'subtract': torch.sub, 'multiply': torch.mul, 'maximum': torch.maximum,
    'average': lambda *x: torch.stack(x).mean(dim=0),
}

images = [2, 6, 5, 4]
# layer, options, shapes of the inputs, shapes of the weights
CASES = [
    ('conv2d', {'filters': 5, 'kernelSize': 3, 'padding': 'same', 'strides': 2}, [images], {'kernel': [3, 3, 4, 5], 'bias': [5]}),
    ('conv2d', {'filters': 6, 'kernelSize': [3, 2], 'groups': 2, 'useBias': False, 'activation': 'relu'}, [images], {'kernel': [3, 2, 2, 6]}),
    ('conv2d', {'filters': 3, 'kernelSize': 2, 'dilationRate': 2}, [images], {'kernel': [2, 2, 4, 3], 'bias': [3]}),
    ('depthwiseConv2d', {'kernelSize': 3, 'padding': 'same'}, [images], {'kernel': [3, 3, 4, 1], 'bias': [4]}),
    ('depthwiseConv2d', {'kernelSize': 3, 'strides': 2, 'depthMultiplier': 2, 'useBias': False}, [images], {'kernel': [3, 3, 4, 2]}),
    *[(layer, options, [images], {}) for layer in ('maxPooling2d', 'averagePooling2d') for options in [
        {}, {'poolSize': 3, 'strides': 2, 'padding': 'same'}, {'poolSize': [2, 3], 'strides': 1}]],
    *[(f'global{way}Pooling2d', options, [images], {}) for way in ('Average', 'Max') for options in ({}, {'keepDims': True})],
    ('zeroPadding2d', {'padding': [[1, 2], [0, 3]]}, [images], {}),
    ('flatten', {}, [images], {}), ('reshape', {'targetShape': [5, -1]}, [images], {}),
    ('rescaling', {'scale': 0.25, 'offset': -1}, [images], {}),
    ('dense', {'units': 5, 'activation': 'tanh'}, [[3, 7]], {'kernel': [7, 5], 'bias': [5]}),
    ('dense', {'units': 4, 'useBias': False}, [[3, 7]], {'kernel': [7, 4]}),
    ('dropout', {'rate': 0.5}, [images], {}),
    ('batchNormalization', {'epsilon': 0.01}, [images], {'gamma': [4], 'beta': [4], 'movingMean': [4], 'movingVariance': [4]}),
    ('concatenate', {}, [[2, 3, 4], [2, 3, 2]], {}), ('concatenate', {'axis': 1}, [[2, 3, 4], [2, 1, 4], [2, 2, 4]], {}),
    *[(layer, {}, [[2, 3, 4]] * 2, {}) for layer in ('add', 'subtract', 'multiply', 'maximum')],
    ('average', {}, [[2, 3, 4]] * 3, {}),
    *[('activation', {'activation': name}, [[4, 9]], {}) for name in ACTIVATIONS],
]


def layers():
    cases, tensors = [], {}
    for i, (layer, options, shapes, weights) in enumerate(CASES):
        name = f'{layer} {i}'
        inputs = [8 * random(f'{name}/x{k}', shape) for k, shape in enumerate(shapes)]
        values = {key: random(f'{name}/{key}', shape) + (1.5 if key == 'movingVariance' else 0) for key, shape in weights.items()}
        y = LAYERS[layer](*map(torch.tensor, inputs), **{key: torch.tensor(v) for key, v in values.items()}, **options)
        cases.append({'name': name, 'layer': layer, 'options': options, 'inputs': len(inputs), 'weights': list(weights)})
        parts = {**{f'x{k}': single(x) for k, x in enumerate(inputs)}, **{key: single(v) for key, v in values.items()}, 'y': double(y)}
        tensors.update({f'{name}/{key}': np.ascontiguousarray(value) for key, value in parts.items()})
    write('layers', 'What layers give in prediction', cases, tensors)
