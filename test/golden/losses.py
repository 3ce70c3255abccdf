"""
losses.safetensors: elementwise rows with the derivative; softmax and cross-entropy with the gradient.
sample-losses.safetensors: the rows of the table of losses, per sample, with the gradient of their mean.
"""
import math

import numpy as np
import torch
import torch.nn.functional as F

from tensors import check, double, leaf, random, single, write

ELEMENTWISE = {
    'exp': torch.exp, 'log': torch.log, 'relu': F.relu, 'sigmoid': torch.sigmoid, 'tanh': torch.tanh, 'selu': F.selu,
    'erf': torch.erf, 'gelu': lambda x: x * 0.5 * torch.erfc(-x * math.sqrt(0.5)),  # F.gelu cancels far below 0
}

# on a plain grid that misses the kinks, errors relative to 1
ACTIVATIONS = {
    'relu6': F.relu6, 'leakyRelu': lambda x: F.leaky_relu(x, 0.2), 'elu': F.elu, 'silu': F.silu, 'hardSigmoid': lambda x: torch.clamp(x / 6 + 0.5, 0, 1),  # F.hardsigmoid's slope is 1/6 in float32
    'hardSwish': F.hardswish,
    'softplus': F.softplus, 'mish': F.mish, 'geluTanh': lambda x: F.gelu(x, approximate='tanh'),
    'square': torch.square, 'rsqrt': torch.rsqrt,
    'clip': lambda x: torch.clamp(x, -15 / 16, 25 / 16),  # both ends lie on the grid
}


def grids(op):
    """Inputs that float32 holds exactly: an everyday range, and the far ends, where float32 overflows or goes to zero."""
    if op == 'log':
        near_one = [1 - 2**-10, 1 + 2**-10, 1 - 2**-20, 1 + 2**-20]
        everyday = [k / 8 for k in range(1, 49)] + near_one + [2.0**k for k in (-126, -100, -60, -20, -10, 10, 60, 120)]
        return everyday, [0, 2.0**-140, 2.0**127, math.inf]
    small = [sign * 2.0**-k for k in (30, 20, 14, 10, 7, 5) for sign in (-1, 1)]
    large = [sign * k for k in (8, 9.5, 12, 17, 25, 40, 60, 80) for sign in (-1, 1)]
    far = [sign * k for k in (87, 88.5, 89, 104, 200, 700, 750, 1000, 1e10, math.inf) for sign in (-1, 1)]
    return sorted([k / 8 for k in range(-48, 49)] + small + large), sorted(far)


def elementwise_case(name, op, grid):
    x = leaf(grid)
    y = {**ELEMENTWISE, **ACTIVATIONS}[op](x)
    y.backward(torch.ones_like(y))
    tensors = {'x': single(grid), 'y': double(y), 'dydx': double(x.grad)}
    return {'name': name, 'kind': 'elementwise', 'op': op}, {f'{name}/{key}': value for key, value in tensors.items()}


def power_case():
    """a^b: a grid, and the corners; where torch.pow is NaN so are we."""
    bases = [0, -0.0, 0.25, 0.75, 1, 1.5, 3, 20, -0.5, -1, -2.5, math.inf, -math.inf, math.nan]
    exponents = [0, 0.5, 1, 2, 3, 5.25, -0.5, -1, -2, -3, -4.75, math.inf, -math.inf, math.nan]
    pairs = np.array([(a, b) for a in bases for b in exponents])
    a, b = leaf(pairs[:, 0]), leaf(pairs[:, 1])
    y = torch.pow(a, b)
    y.backward(torch.ones_like(y))
    tensors = {'a': pairs[:, 0].astype(np.float32), 'b': pairs[:, 1].astype(np.float32), 'y': double(y), 'da': double(a.grad), 'db': double(b.grad)}
    return {'name': 'pow', 'kind': 'power'}, {f'pow/{key}': value for key, value in tensors.items()}


LOGITS = {
    'plain': 4 * random('logits/plain', [5, 10]),
    'seven': 4 * random('logits/seven', [6, 7]),
    'two': 8 * random('logits/two', [3, 2]),
    'one-row': 4 * random('logits/one-row', [1, 10]),
    'many': 8 * random('logits/many', [2, 1000]),
    'masked': np.array([[0.5, 2, -math.inf, 1], [3, -math.inf, -math.inf, -math.inf], [-math.inf, -1000, 0, 80]]),
    'extreme': np.array([
        [80, -80, 0, 1, 80],
        [-80, -80, -80, -80, 80],
        [1000, 0, -1000, 999, 500],
        [-1000, -1000, -1000, -1000, -1000],
        [1000, 1000, 1000, 1000, 1000],
        [0, 0, 0, 0, 0],
        [-1000, -80, -1, -0.5, -2000],
        [1e-3, 0, -1e-3, 1e-6, -1e-6],
    ]).astype(np.float32).astype(np.float64),
}
LABELS = {
    'plain': [3, 0, 9, 3, 5], 'seven': [6, 5, 0, 1, 2, 3], 'two': [0, 1, 1], 'one-row': [7], 'many': [999, 0], 'masked': [1, 0, 3],
    'extreme': [4, 0, 2, 1, 3, 0, 3, 2],  # right, wrong by 160, wrong by 2000, and ties
}


def one_hot(labels, classes):
    return np.eye(classes)[labels]


def soft_targets(name, shape):
    """Rows of 64ths that sum to one: exact in float32."""
    weights = np.abs(random(name, shape)) + 0.05
    parts = np.floor(63 * weights / weights.sum(axis=1, keepdims=True)) / 64
    parts[:, 0] += 1 - parts.sum(axis=1)
    return parts


def softmax_case(name, op, logits):
    x = leaf(logits)
    y = {'softmax': F.softmax, 'logSoftmax': F.log_softmax}[op](x, dim=-1)
    dy = random(f'{name}/dy', y.shape)
    y.backward(torch.tensor(dy))
    tensors = {'x': single(logits), 'dy': single(dy), 'y': double(y), 'dx': double(x.grad)}
    return {'name': name, 'kind': 'softmax', 'op': op}, {f'{name}/{key}': value for key, value in tensors.items()}


def cross_entropy_case(name, logits, target):
    """The mean over the rows; targets are class indices or, per class, probabilities."""
    x = leaf(logits)
    sparse = np.ndim(target) == 1
    rows = F.cross_entropy(x, torch.tensor(target) if sparse else torch.tensor(np.asarray(target)), reduction='none')
    rows.mean().backward()
    tensors = {'logits': single(logits), 'rows': double(rows), 'loss': double(rows.mean()), 'dlogits': double(x.grad)}
    tensors['labels' if sparse else 'targets'] = np.array(target, np.int32) if sparse else single(target)
    case = {'name': name, 'kind': 'crossEntropy', 'targets': 'sparse' if sparse else 'probabilities'}
    return case, {f'{name}/{key}': value for key, value in tensors.items()}


def losses():
    results = []
    for op in ELEMENTWISE:
        everyday, extreme = grids(op)
        results += [elementwise_case(op, op, everyday), elementwise_case(f'{op}-extreme', op, extreme)]
    for op in ACTIVATIONS:
        grid = [k / 8 + 1 / 16 for k in range(0 if op == 'rsqrt' else -64, 64)]
        case, tensors_of_op = elementwise_case(op, op, grid)
        results.append(({**case, 'scale': 1}, tensors_of_op))
    results.append(power_case())
    wide = torch.linspace(-3, 3, 97, dtype=torch.float64)
    check('gelu', ELEMENTWISE['gelu'](wide), F.gelu(wide), 1e-15)
    for name, logits in LOGITS.items():
        results += [softmax_case(f'{op}-{name}', op, logits) for op in ('softmax', 'logSoftmax')]
        if name != 'masked':  # the loss itself is in sample-losses; its formula is 0 times infinity there
            results.append(cross_entropy_case(f'crossEntropy-sparse-{name}', logits, LABELS[name]))
    for name in ('plain', 'seven', 'extreme'):
        logits = LOGITS[name]
        results.append(cross_entropy_case(f'crossEntropy-one-hot-{name}', logits, one_hot(LABELS[name], logits.shape[1])))
        results.append(cross_entropy_case(f'crossEntropy-soft-{name}', logits, soft_targets(f'soft/{name}', logits.shape)))
    tensors = {key: value for _, more in results for key, value in more.items()}
    smoothed = 0.9 * one_hot([1], 3) + 0.1 / 3
    check('label smoothing', F.cross_entropy(torch.log(torch.tensor([[0.1, 0.7, 0.2]]).double()), torch.tensor(smoothed)),
          0.46330, 5e-6)
    write('losses', 'Elementwise rows, softmax and cross-entropy with gradients', [case for case, _ in results], tensors)


def grid(name, shape, scale=4):
    return scale * random(name, shape)


FAR = [1000, -1000, 88, -88, 30, -30, 0, 1e-3]
BITS = np.array([[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 0], [1, 0, 1, 0]])
QUARTERS = np.array([[0.25, 0.5, 0.75, 1], [0, 0.125, 0.5, 0.875]])
ERRORS = np.array([[0.5, -0.5, 1, -1], [1.5, -3, 1000, 0], [0.25, -0.125, -1.25, 2]])

# loss, its options, logits, targets
SAMPLE_LOSSES = {
    'binary-labels': ('binaryCrossentropy', {}, grid('bce/labels', [6, 1]), np.array([0, 1, 1, 0, 1, 0], np.int32)),
    'binary-far-ones': ('binaryCrossentropy', {}, np.array(FAR)[:, None].astype(np.float32), np.ones([8, 1])),
    'binary-far-zeros': ('binaryCrossentropy', {}, np.array(FAR)[:, None].astype(np.float32), np.zeros([8, 1])),
    'binary-multi-label': ('binaryCrossentropy', {}, grid('bce/multi', [5, 4]), BITS.astype(float)),
    'binary-soft': ('binaryCrossentropy', {}, grid('bce/soft', [2, 4]), QUARTERS),
    'binary-mask': ('binaryCrossentropy', {}, grid('bce/mask', [2, 3, 2, 2]), (random('bce/bits', [2, 3, 2, 2]) > 0).astype(float)),
    'binary-smoothed': ('binaryCrossentropy', {'labelSmoothing': 0.25}, grid('bce/smoothed', [5, 4]), BITS.astype(float)),
    'sparse-smoothed': ('sparseCategoricalCrossentropy', {'labelSmoothing': 0.1}, LOGITS['plain'], np.array(LABELS['plain'], np.int32)),
    'categorical-smoothed': ('categoricalCrossentropy', {'labelSmoothing': 0.1}, LOGITS['seven'], one_hot(LABELS['seven'], 7)),
    'sparse-masked': ('sparseCategoricalCrossentropy', {}, LOGITS['masked'], np.array(LABELS['masked'], np.int32)),
    'categorical-masked': ('categoricalCrossentropy', {}, LOGITS['masked'], one_hot(LABELS['masked'], 4)),
    'binary-certain': ('binaryCrossentropy', {}, np.array([[-math.inf, 1], [math.inf, -2]]), np.array([[0, 1], [1, 0]], float)),
    'squared': ('meanSquaredError', {}, grid('mse/x', [3, 4]) + ERRORS, grid('mse/x', [3, 4])),
    'squared-map': ('meanSquaredError', {}, grid('mse/map', [2, 3, 2, 2]), random('mse/map/y', [2, 3, 2, 2])),
    'absolute': ('meanAbsoluteError', {}, grid('mae/x', [3, 4]) + ERRORS, grid('mae/x', [3, 4])),
    'absolute-one': ('meanAbsoluteError', {}, grid('mae/one', [4, 1]), random('mae/one/y', [4])),
    'huber': ('huber', {}, grid('huber/x', [3, 4]) + ERRORS, grid('huber/x', [3, 4])),
    'huber-wide': ('huber', {'delta': 2.5}, grid('huber/wide', [3, 4]) + ERRORS, grid('huber/wide', [3, 4])),
}


def by_torch(loss, options, x, y):
    """Element by element, or for cross-entropy sample by sample."""
    if loss == 'binaryCrossentropy' and torch.isinf(x).any():  # by numbers from 0 to 1, for which PyTorch has limits
        return F.binary_cross_entropy(torch.sigmoid(x), y.double(), reduction='none')
    if loss == 'binaryCrossentropy':
        smoothing = options.get('labelSmoothing', 0)  # PyTorch has none here; by Keras's rule
        return F.binary_cross_entropy_with_logits(x, y.reshape(x.shape).double() * (1 - smoothing) + smoothing / 2, reduction='none')
    if 'Crossentropy' in loss:
        classes = y.long() if loss.startswith('sparse') else y.argmax(dim=1) if torch.isinf(x).any() else y
        return F.cross_entropy(x, classes, reduction='none', label_smoothing=options.get('labelSmoothing', 0.0))
    y = y.reshape(x.shape)
    if loss == 'huber':
        return F.huber_loss(x, y, reduction='none', delta=options.get('delta', 1.0))
    return {'meanSquaredError': F.mse_loss, 'meanAbsoluteError': F.l1_loss}[loss](x, y, reduction='none')


def sample_losses():
    cases, tensors = [], {}
    for name, (loss, options, logits, target) in SAMPLE_LOSSES.items():
        x = leaf(single(logits))
        elements = by_torch(loss, options, x, torch.tensor(target))
        rows = elements.reshape(len(logits), -1).mean(dim=1)
        rows.mean().backward()
        cases.append({'name': name, 'loss': {'type': loss, **options}})
        values = {'logits': single(logits), 'rows': double(rows), 'dlogits': double(x.grad)}
        values['target'] = target if target.dtype == np.int32 else single(target)
        tensors.update({f'{name}/{key}': value for key, value in values.items()})
    write('sample-losses', 'Losses per sample with the gradient of their mean', cases, tensors)
