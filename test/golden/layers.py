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


def every(n, rank):
    """A number for every axis, or one each."""
    return [n] * rank if isinstance(n, int) else list(n)


def padded(x, window, strides, dilation, padding, value=0.0):
    return pad(channels_first(x), borders(x.shape[1:-1], window, strides, dilation, padding), value)


def of_rank(functions, x):
    return functions[x.dim() - 3]


def convolution(x, kernel, bias, strides=1, padding='valid', dilationRate=1, groups=1, activation='linear'):
    rank = x.dim() - 2
    strides, dilation = every(strides, rank), every(dilationRate, rank)
    x = padded(x, kernel.shape[:rank], strides, dilation, padding)
    y = of_rank([F.conv1d, F.conv2d, F.conv3d], x)(x, kernel_for_torch(kernel), bias, strides, 0, dilation, groups)
    return ACTIVATIONS[activation](channels_last(y))


def conv(x, kernel, bias=None, filters=0, kernelSize=0, useBias=True, **options):
    return convolution(x, kernel, bias, **options)


def depthwise_conv(x, kernel, bias=None, kernelSize=0, depthMultiplier=1, useBias=True, **options):
    *window, channels, multiplier = kernel.shape
    return convolution(x, kernel.reshape(*window, 1, channels * multiplier), bias, groups=channels, **options)


def max_pooling(x, poolSize=2, strides=None, padding='valid'):
    rank = x.dim() - 2
    window, strides = every(poolSize, rank), every(poolSize if strides is None else strides, rank)
    by = of_rank([F.max_pool1d, F.max_pool2d, F.max_pool3d], x)
    return channels_last(by(padded(x, window, strides, [1] * rank, padding, -math.inf), window, strides))


def average_pooling(x, poolSize=2, strides=None, padding='valid'):
    """Padding takes no part: sums over windows, by how many of the picture they hold."""
    rank = x.dim() - 2
    window, strides = every(poolSize, rank), every(poolSize if strides is None else strides, rank)
    by = of_rank([F.avg_pool1d, F.avg_pool2d, F.avg_pool3d], x)
    sums = [by(padded(t, window, strides, [1] * rank, padding), window, strides) for t in (x, torch.ones_like(x))]
    return channels_last(sums[0] / sums[1])


def batch_normalization(x, gamma, beta, movingMean, movingVariance, epsilon=1e-3):
    return channels_last(F.batch_norm(channels_first(x), movingMean, movingVariance, gamma, beta, False, 0, epsilon))


def over_places(by):
    return lambda x, keepDims=False: by(x, dim=tuple(range(1, x.dim() - 1)), keepdim=keepDims)


def zero_padding(x, padding):
    return channels_last(pad(channels_first(x), padding, 0.0))


BY_RANK = {
    'conv': conv, 'depthwiseConv': depthwise_conv, 'maxPooling': max_pooling, 'averagePooling': average_pooling,
    'globalAveragePooling': over_places(torch.mean), 'globalMaxPooling': over_places(torch.amax), 'zeroPadding': zero_padding,
}
LAYERS = {
    **{f'{layer}{rank}d': function for layer, function in BY_RANK.items() for rank in (1, 2, 3)},
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

sequences, images, volumes = [2, 9, 4], [2, 6, 5, 4], [2, 4, 5, 3, 4]
# layer, options, shapes of the inputs, shapes of the weights
CASES = [
    ('conv2d', {'filters': 5, 'kernelSize': 3, 'padding': 'same', 'strides': 2}, [images], {'kernel': [3, 3, 4, 5], 'bias': [5]}),
    ('conv2d', {'filters': 6, 'kernelSize': [3, 2], 'groups': 2, 'useBias': False, 'activation': 'relu'}, [images], {'kernel': [3, 2, 2, 6]}),
    ('conv2d', {'filters': 3, 'kernelSize': 2, 'dilationRate': 2}, [images], {'kernel': [2, 2, 4, 3], 'bias': [3]}),
    ('depthwiseConv2d', {'kernelSize': 3, 'padding': 'same'}, [images], {'kernel': [3, 3, 4, 1], 'bias': [4]}),
    ('depthwiseConv2d', {'kernelSize': 3, 'strides': 2, 'depthMultiplier': 2, 'useBias': False}, [images], {'kernel': [3, 3, 4, 2]}),
    ('conv1d', {'filters': 5, 'kernelSize': 3, 'padding': 'same', 'strides': 2}, [sequences], {'kernel': [3, 4, 5], 'bias': [5]}),
    ('conv2d', {'filters': 3, 'kernelSize': 2, 'padding': [[1, 0], [2, 1]]}, [images], {'kernel': [2, 2, 4, 3], 'bias': [3]}),
    ('conv3d', {'filters': 3, 'kernelSize': [2, 3, 2], 'padding': 'same'}, [volumes], {'kernel': [2, 3, 2, 4, 3], 'bias': [3]}),
    ('depthwiseConv1d', {'kernelSize': 3, 'depthMultiplier': 2}, [sequences], {'kernel': [3, 4, 2], 'bias': [8]}),
    *[(f'{way}Pooling2d', options, [images], {}) for way in ('max', 'average') for options in [
        {}, {'poolSize': 3, 'strides': 2, 'padding': 'same'}, {'poolSize': [2, 3], 'strides': 1}]],
    *[(f'{way}Pooling{rank}d', options, [shape], {}) for way in ('max', 'average') for rank, shape in ((1, sequences), (3, volumes)) for options in [
        {}, {'poolSize': 3, 'strides': 2, 'padding': 'same'}]],
    *[(f'global{way}Pooling{rank}d', options, [shape], {}) for way in ('Average', 'Max') for rank, shape in ((1, sequences), (2, images), (3, volumes))
      for options in ({}, {'keepDims': True})],
    ('zeroPadding1d', {'padding': [[1, 2]]}, [sequences], {}), ('zeroPadding2d', {'padding': [[1, 2], [0, 3]]}, [images], {}),
    ('zeroPadding3d', {'padding': [[1, 0], [0, 2], [1, 1]]}, [volumes], {}),
    ('flatten', {}, [images], {}), ('reshape', {'targetShape': [5, -1]}, [images], {}),
    ('rescaling', {'scale': 0.25, 'offset': -1}, [images], {}),
    ('dense', {'units': 5, 'activation': 'tanh'}, [[3, 7]], {'kernel': [7, 5], 'bias': [5]}),
    ('dense', {'units': 4, 'useBias': False}, [[3, 7]], {'kernel': [7, 4]}),
    ('dense', {'units': 3}, [[2, 3, 7]], {'kernel': [7, 3], 'bias': [3]}),
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
