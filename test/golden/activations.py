"""
activations.safetensors: activations with their options, as `activation` and as layers of their own, in prediction and with gradients.
Those that layers.safetensors has by name alone are not repeated.
"""
import numpy as np
import torch
import torch.nn.functional as F

from tensors import double, random, single, write


def relu(x, maxValue=None, negativeSlope=0.0, threshold=0.0):
    """Keras's ReLU; PyTorch's own function where it has one."""
    if threshold == 0 and maxValue is None:
        return F.leaky_relu(x, negativeSlope)
    if threshold == 0 and negativeSlope == 0:
        return F.hardtanh(x, 0, maxValue)
    if negativeSlope == 0 and maxValue is None:
        return F.threshold(x, threshold, 0)
    y = torch.where(x > threshold, x, negativeSlope * (x - threshold))
    return y if maxValue is None else torch.clamp(y, max=maxValue)


FUNCTIONS = {
    'relu': relu,
    'leakyRelu': lambda x, negativeSlope=0.2: F.leaky_relu(x, negativeSlope),
    'elu': lambda x, alpha=1.0: F.elu(x, alpha),
    'celu': lambda x, alpha=1.0: F.celu(x, alpha),
    'hardSigmoid': lambda x, slope, offset: torch.clamp(slope * x + offset, 0, 1),
    'hardTanh': lambda x, minValue=-1.0, maxValue=1.0: F.hardtanh(x, minValue, maxValue),
    'selu': F.selu,
    'softsign': F.softsign,
    'softmax': lambda x, axis=-1: F.softmax(x, axis),
    'logSoftmax': lambda x, axis=-1: F.log_softmax(x, axis),
}


def prelu(x, alpha, sharedAxes=()):
    """F.prelu where it can say it: one alpha per channel."""
    if list(sharedAxes) == list(range(1, x.dim() - 1)):
        return F.prelu(x.movedim(-1, 1), alpha.reshape(-1)).movedim(1, -1)
    return torch.where(x > 0, x, alpha * x)


def function(name, **options):
    return {'type': name, **options} if options else name


flat, images = [4, 16], [2, 3, 4, 5]
OPTIONS = [
    ('celu', {}), ('hardTanh', {}), ('softsign', {}),
    ('relu', {'maxValue': 2.5}), ('relu', {'negativeSlope': 0.25}), ('relu', {'threshold': 2}),
    ('relu', {'maxValue': 3.5, 'negativeSlope': 0.125, 'threshold': 1}), ('relu', {'maxValue': 6, 'negativeSlope': 0.5}),
    ('leakyRelu', {'negativeSlope': 0.01}), ('leakyRelu', {'negativeSlope': -0.5}),
    ('elu', {'alpha': 0.5}), ('elu', {'alpha': 2}), ('celu', {'alpha': 0.5}), ('celu', {'alpha': 3}),
    ('hardTanh', {'minValue': -2, 'maxValue': 0.5}),
    ('hardSigmoid', {'slope': 0.2, 'offset': 0.5}), ('hardSigmoid', {'slope': 0.5, 'offset': 0.25}),
]
SHARED = [(name, {'axis': axis}) for name in ('softmax', 'logSoftmax') for axis in (1, 2, -1)]
# layer, options, shapes of the input and of the weights
CASES = [
    *[('activation', {'activation': function(name, **options)}, flat, {}) for name, options in OPTIONS],
    *[('activation', {'activation': function(name, **options)}, images, {}) for name, options in SHARED],
    *[(name, options, flat, {}) for name, options in OPTIONS if name != 'hardSigmoid'],
    *[(name, {}, flat, {}) for name in ('relu', 'leakyRelu', 'elu', 'softmax', 'selu')],
    *[('softmax', options, images, {}) for name, options in SHARED if name == 'softmax'],
    ('prelu', {}, flat, {'alpha': [16]}), ('prelu', {'sharedAxes': [1, 2]}, images, {'alpha': [1, 1, 5]}),
    ('prelu', {'sharedAxes': [2]}, images, {'alpha': [3, 1, 5]}),
]


def result(layer, options, x, weights):
    if layer == 'prelu':
        return prelu(x, **weights, **options)
    if layer != 'activation':
        return FUNCTIONS[layer](x, **options)
    said = options['activation']
    given = dict(said) if isinstance(said, dict) else {'type': said}
    return FUNCTIONS[given.pop('type')](x, **given)


def activations():
    cases, tensors = [], {}
    for i, (layer, options, shape, shapes) in enumerate(CASES):
        name = f'{layer} {i}'
        x = torch.tensor(8 * random(f'{name}/x0', shape), requires_grad=True)
        weights = {key: torch.tensor(random(f'{name}/{key}', of), requires_grad=True) for key, of in shapes.items()}
        y = result(layer, options, x, weights)
        dy = random(f'{name}/dy', list(y.shape))
        flows = torch.autograd.grad(y, [x, *weights.values()], torch.tensor(dy))
        cases.append({'name': name, 'layer': layer, 'options': options, 'inputs': 1, 'weights': list(weights)})
        parts = {'x0': single(x.detach()), 'y': double(y), 'dy': single(dy), **{key: single(w.detach()) for key, w in weights.items()}}
        parts.update({f'd{key}': double(flow) for key, flow in zip(['x0', *weights], flows)})
        tensors.update({f'{name}/{key}': np.ascontiguousarray(value) for key, value in parts.items()})
    write('activations', 'Activations with their options, as layers too, with gradients', cases, tensors)
