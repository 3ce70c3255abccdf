"""sequences.safetensors: layers that move samples or their time steps, noise and dropout in prediction, with gradients."""
import numpy as np
import torch
import torch.nn.functional as F

from layers import LAYERS
from tensors import channels_first, channels_last, double, random, single, write


def masking(x, maskValue=0.0):
    """Keras: a time step stays where any of its features differs."""
    return x * torch.any(x != maskValue, dim=-1, keepdim=True)


def time_distributed(x, layer, **weights):
    """Step by step, as Keras says what it does; nothing is folded."""
    function, options = STEPS[layer['type']], layer['options']
    return torch.stack([function(x[:, t], **weights, **options) for t in range(x.shape[1])], dim=1)


def box(x, begin, size):
    for axis, (first, length) in enumerate(zip(begin, size), 1):
        x = x.narrow(axis, first, x.shape[axis] - first if length == -1 else length)
    return x


def unchanged(x, **_):
    return x


NEW = {
    'permute': lambda x, dims: x.permute(0, *dims),
    'repeatVector': lambda x, n: x.unsqueeze(1).repeat(1, n, 1),
    'identity': torch.nn.Identity(),
    'slice': box,
    'masking': masking,
    'spatialDropout1d': lambda x, rate: channels_last(F.dropout1d(channels_first(x), rate, training=False)),
    'spatialDropout2d': lambda x, rate: channels_last(F.dropout2d(channels_first(x), rate, training=False)),
    'spatialDropout3d': lambda x, rate: channels_last(F.dropout3d(channels_first(x), rate, training=False)),
    'alphaDropout': lambda x, rate: F.alpha_dropout(x, rate, training=False),
    'gaussianNoise': unchanged, 'gaussianDropout': unchanged,
    'timeDistributed': time_distributed,
}
STEPS = {**LAYERS, **NEW}

line, images, volumes, video = [2, 6, 4], [2, 3, 4, 5], [2, 2, 3, 2, 4], [2, 3, 5, 4, 2]
norm = {'gamma': [4], 'beta': [4], 'movingMean': [4], 'movingVariance': [4]}


def inner(type, **options):
    return {'layer': {'type': type, 'options': options}}


# layer, options, shape of the input, shapes of the weights
CASES = [
    ('permute', {'dims': [2, 1]}, line, {}), ('permute', {'dims': [3, 1, 2]}, images, {}), ('permute', {'dims': [2, 4, 1, 3]}, volumes, {}),
    ('repeatVector', {'n': 3}, [2, 5], {}), ('identity', {}, images, {}),
    ('slice', {'begin': [0, 0, 2], 'size': [-1, -1, 3]}, images, {}), ('slice', {'begin': [1, 1], 'size': [2, -1]}, line, {}),
    ('masking', {}, line, {}), ('masking', {'maskValue': -1.5}, line, {}), ('masking', {'maskValue': 2}, images, {}),
    *[(f'spatialDropout{rank}d', {'rate': 0.5}, shape, {}) for rank, shape in ((1, line), (2, images), (3, volumes))],
    ('alphaDropout', {'rate': 0.3}, line, {}), ('gaussianNoise', {'stddev': 2}, line, {}), ('gaussianDropout', {'rate': 0.4}, line, {}),
    ('timeDistributed', inner('dense', units=3, activation='tanh'), line, {'kernel': [4, 3], 'bias': [3]}),
    ('timeDistributed', inner('conv2d', filters=3, kernelSize=3, padding='same'), video, {'kernel': [3, 3, 2, 3], 'bias': [3]}),
    ('timeDistributed', inner('batchNormalization'), line, norm), ('timeDistributed', inner('flatten'), video, {}),
    ('timeDistributed', inner('maxPooling2d'), video, {}), ('timeDistributed', inner('timeDistributed', **inner('dense', units=2)), images, {'kernel': [5, 2], 'bias': [2]}),
]


def values(name, layer, options, shape):
    """Numbers for x; every other time step of a masking is masked, and in one of the rest a single feature differs."""
    x = 8 * random(f'{name}/x0', shape)
    if layer == 'masking':
        x[:, ::2] = options.get('maskValue', 0)
        x[0, 0].reshape(-1)[0] = 3
    return x


def sequences():
    cases, tensors = [], {}
    for i, (layer, options, shape, shapes) in enumerate(CASES):
        name = f'{layer} {i}'
        x = torch.tensor(values(name, layer, options, shape), requires_grad=True)
        weights = {key: torch.tensor(random(f'{name}/{key}', of) + (1.5 if key == 'movingVariance' else 0)) for key, of in shapes.items()}
        y = STEPS[layer](x, **weights, **options)
        dy = random(f'{name}/dy', list(y.shape))
        dx = torch.autograd.grad(y, [x], torch.tensor(dy))[0]
        cases.append({'name': name, 'layer': layer, 'options': options, 'inputs': 1, 'weights': list(weights)})
        parts = {'x0': single(x.detach()), 'y': double(y), 'dy': single(dy), 'dx0': double(dx), **{key: single(w) for key, w in weights.items()}}
        tensors.update({f'{name}/{key}': np.ascontiguousarray(value) for key, value in parts.items()})
    write('sequences', 'Layers that move samples or time steps, noise and dropout in prediction, with gradients', cases, tensors)
