"""
further-losses.safetensors: losses per sample with the gradient of their mean, by PyTorch where it has them, else by Keras's formulas
over PyTorch's autograd.

    /usr/bin/python3 test/golden/further_losses.py
"""
import math
import sys

sys.dont_write_bytecode = True

import numpy as np
import torch
import torch.nn.functional as F

from losses import BITS, FAR, LABELS, LOGITS, QUARTERS, grid, one_hot, soft_targets
from tensors import check, double, leaf, random, single, write

EPSILON = 1e-7


def flat(rows):
    return rows.reshape(len(rows), -1)


def smoothed(y, classes, options):
    e = options.get('labelSmoothing', 0)
    return y * (1 - e) + e / classes


def binary_focal(x, y, gamma=2.0, alpha=0.25, applyClassBalancing=False, labelSmoothing=0):
    y = smoothed(y, 2, {'labelSmoothing': labelSmoothing})
    missed = y * torch.sigmoid(-x) + (1 - y) * torch.sigmoid(x)
    focal = missed**gamma * F.binary_cross_entropy_with_logits(x, y, reduction='none')
    return focal * (y * alpha + (1 - y) * (1 - alpha)) if applyClassBalancing else focal


def categorical_focal(x, y, gamma=2.0, alpha=0.25, labelSmoothing=0):
    y = smoothed(y, x.shape[1], {'labelSmoothing': labelSmoothing})
    logs = F.log_softmax(x, dim=1)
    # 1 - p without the digits that p near 1 loses
    missed = torch.stack([torch.cat([x[:, :i], x[:, i + 1:]], dim=1).logsumexp(dim=1) - x.logsumexp(dim=1) for i in range(x.shape[1])], dim=1).exp()
    return (-y * missed**gamma * logs * torch.tensor(alpha, dtype=torch.float64)).sum(dim=1)


def kl(x, y):
    return F.kl_div(F.log_softmax(x, dim=1), y, reduction='none').sum(dim=1)


def cosine(x, y):
    unit = lambda v: v / torch.sqrt(torch.clamp((v * v).sum(dim=-1, keepdim=True), min=1e-12))
    return -(unit(x) * unit(y)).sum(dim=-1)


def hinge(x, y, squared=False):
    short = F.relu(1 - torch.where(y > 0, 1.0, -1.0).double() * x)
    return short**2 if squared else short


def categorical_hinge(x, y):
    return F.relu(torch.amax((1 - y) * x, dim=1) - (y * x).sum(dim=1) + 1)


def log_cosh(x, y):
    e = x - y
    return torch.where(e.abs() < 0.01, e**2 / 2 - e**4 / 12 + e**6 / 45, e + F.softplus(-2 * e) - math.log(2))  # near 0 by its series


def overlap(x, y, alpha, beta):
    p, q, y = flat(torch.sigmoid(x)), flat(torch.sigmoid(-x)), flat(y)
    both = (p * y).sum(dim=1)
    return 1 - both / (both + alpha * (p * (1 - y)).sum(dim=1) + beta * (q * y).sum(dim=1) + EPSILON)


def dice(x, y):
    p, y = flat(torch.sigmoid(x)), flat(y)
    return 1 - 2 * (p * y).sum(dim=1) / (p.sum(dim=1) + y.sum(dim=1) + EPSILON)


BY_TORCH = {
    'binaryFocalCrossentropy': binary_focal, 'categoricalFocalCrossentropy': categorical_focal, 'sparseCategoricalFocalCrossentropy': categorical_focal,
    'klDivergence': kl, 'cosineSimilarity': cosine, 'hinge': hinge, 'squaredHinge': lambda x, y: hinge(x, y, True),
    'categoricalHinge': categorical_hinge, 'logCosh': log_cosh,
    'poisson': lambda x, y: F.poisson_nll_loss(x, y, log_input=False, full=False, eps=EPSILON, reduction='none'),
    'dice': dice, 'tversky': lambda x, y, alpha=0.5, beta=0.5: overlap(x, y, alpha, beta),
}

FAR_LOGITS = np.array(FAR)[:, None].astype(np.float32)
SIGNS = np.where(random('further/signs', [5, 4]) > 0, 1, -1)
MASK = (random('further/mask', [3, 4, 4, 1]) > 0.2).astype(float)
MASK[1] = 0
SURE = np.where(MASK > 0, 1000.0, -1000.0)
SURE[2, 0] *= -1
COUNTS = np.floor(4 * np.abs(random('further/counts', [4, 3])))
RATES = 2 * np.abs(random('further/rates', [4, 3])) + 1 / 64
RATES[0, 0], COUNTS[0, 0] = 0, 0
SMALL = np.array([[1e-3, -1e-3, 1e-4, 0.25], [0.9990234375, 1, -1, 1.0009765625], [1000, -1000, 20, -0.5]]).astype(np.float32)

# loss, its options, logits, targets
CASES = {
    'binary-focal': ('binaryFocalCrossentropy', {}, grid('focal/labels', [6, 1]), np.array([0, 1, 1, 0, 1, 0], np.int32)),
    'binary-focal-multi-label': ('binaryFocalCrossentropy', {'gamma': 1.5}, grid('focal/multi', [5, 4]), BITS.astype(float)),
    'binary-focal-balanced': ('binaryFocalCrossentropy', {'applyClassBalancing': True, 'alpha': 0.75}, grid('focal/balanced', [5, 4]), BITS.astype(float)),
    'binary-focal-soft': ('binaryFocalCrossentropy', {'gamma': 3}, grid('focal/soft', [2, 4]), QUARTERS),
    'binary-focal-smoothed': ('binaryFocalCrossentropy', {'labelSmoothing': 0.25}, grid('focal/smoothed', [5, 4]), BITS.astype(float)),
    'binary-focal-far-ones': ('binaryFocalCrossentropy', {}, FAR_LOGITS, np.ones([8, 1])),
    'binary-focal-far-zeros': ('binaryFocalCrossentropy', {'gamma': 1}, FAR_LOGITS, np.zeros([8, 1])),
    'binary-focal-0': ('binaryFocalCrossentropy', {'gamma': 0}, grid('focal/0', [5, 4]), BITS.astype(float)),
    'focal': ('categoricalFocalCrossentropy', {}, LOGITS['seven'], one_hot(LABELS['seven'], 7)),
    'focal-soft': ('categoricalFocalCrossentropy', {'gamma': 1.5, 'alpha': 1}, LOGITS['plain'], soft_targets('focal/rows', [5, 10])),
    'focal-per-class': ('categoricalFocalCrossentropy', {'alpha': [0.25, 0.5, 1, 2, 0.125, 0, 1.5]}, LOGITS['seven'], one_hot(LABELS['seven'], 7)),
    'focal-smoothed': ('categoricalFocalCrossentropy', {'labelSmoothing': 0.125}, LOGITS['seven'], one_hot(LABELS['seven'], 7)),
    'focal-sparse': ('sparseCategoricalFocalCrossentropy', {'gamma': 1}, LOGITS['plain'], np.array(LABELS['plain'], np.int32)),
    'focal-sparse-0': ('sparseCategoricalFocalCrossentropy', {'gamma': 0, 'alpha': 1}, LOGITS['plain'], np.array(LABELS['plain'], np.int32)),
    'focal-sparse-extreme': ('sparseCategoricalFocalCrossentropy', {}, LOGITS['extreme'], np.array(LABELS['extreme'], np.int32)),
    'kl': ('klDivergence', {}, LOGITS['plain'], soft_targets('kl/rows', [5, 10])),
    'kl-extreme': ('klDivergence', {}, LOGITS['extreme'], soft_targets('kl/extreme', [8, 5])),
    'kl-one-hot': ('klDivergence', {}, LOGITS['extreme'], one_hot(LABELS['extreme'], 5)),
    'cosine': ('cosineSimilarity', {}, grid('cosine/x', [4, 5]), random('cosine/y', [4, 5])),
    'cosine-map': ('cosineSimilarity', {}, grid('cosine/map', [2, 3, 2, 4]), random('cosine/map/y', [2, 3, 2, 4])),
    'cosine-0': ('cosineSimilarity', {}, np.array([[0.0, 0, 0], [1000, -1000, 0]]), np.array([[1.0, 2, 3], [0, 1, 0]])),
    'hinge': ('hinge', {}, grid('hinge/x', [5, 4]), SIGNS.astype(float)),
    'hinge-bits': ('hinge', {}, grid('hinge/bits', [6, 1]), np.array([0, 1, 1, 0, 1, 0], np.int32)),
    'hinge-far': ('hinge', {}, FAR_LOGITS, np.ones([8, 1])),
    'squared-hinge': ('squaredHinge', {}, grid('hinge/squared', [5, 4]), SIGNS.astype(float)),
    'squared-hinge-far': ('squaredHinge', {}, FAR_LOGITS, -np.ones([8, 1])),
    'categorical-hinge': ('categoricalHinge', {}, grid('hinge/rows', [5, 6]), one_hot([0, 3, 5, 2, 2], 6)),
    'categorical-hinge-indices': ('categoricalHinge', {}, LOGITS['extreme'][[0, 1, 6]], np.array([1, 0, 3], np.int32)),
    'log-cosh': ('logCosh', {}, grid('cosh/x', [3, 4]), random('cosh/y', [3, 4])),
    'log-cosh-small': ('logCosh', {}, SMALL, np.zeros([3, 4])),
    'log-cosh-tiny': ('logCosh', {}, SMALL[:1, :3] * [1, 2, 0.5], np.zeros([1, 3])),
    'poisson': ('poisson', {}, RATES, COUNTS),
    'poisson-one': ('poisson', {}, RATES[:, :1], COUNTS[:, 0].astype(np.int32)),
    'dice': ('dice', {}, grid('dice/x', [3, 4, 4, 1]), MASK),
    'dice-soft': ('dice', {}, grid('dice/soft', [2, 4]), QUARTERS),
    'dice-sure': ('dice', {}, SURE, MASK),
    'tversky': ('tversky', {'alpha': 0.25, 'beta': 0.75}, grid('tversky/x', [3, 4, 4, 1]), MASK),
    'tversky-labels': ('tversky', {}, grid('tversky/labels', [5, 4]), BITS.astype(float)),
    'tversky-sure': ('tversky', {'alpha': 1, 'beta': 0.5}, SURE, MASK),
}


def by_torch(loss, options, x, y):
    target = torch.tensor(y)
    if y.dtype == np.int32 and x.dim() == 2 and x.shape[1] > 1:
        target = torch.tensor(one_hot(y, x.shape[1]))
    return BY_TORCH[loss](x, target.reshape(x.shape).double(), **options)


def keras_says():
    """What Keras's documentation prints, by its losses over probabilities."""
    p, y = torch.tensor([[0.05, 0.9, 0.05], [0.1, 0.85, 0.05]]).double(), np.array([[0.0, 1, 0], [0, 0, 1]])
    check('categorical focal', by_torch('categoricalFocalCrossentropy', {}, torch.log(p), y), [2.63401289e-04, 6.75912094e-01], 1e-7)
    p, y = torch.tensor([[0.6, 0.4], [0.4, 0.6]]).double(), np.array([[0.0, 1], [0, 0]])
    check('binary focal', by_torch('binaryFocalCrossentropy', {}, torch.logit(p), y).mean(dim=1), [0.330, 0.206], 1e-3)
    check('hinge', hinge(p, torch.tensor(y)).mean(dim=1), [1.1, 1.5], 1e-7)
    check('squared hinge', hinge(p, torch.tensor(y), True).mean(dim=1), [1.46, 2.26], 1e-7)
    check('categorical hinge', categorical_hinge(p, torch.tensor(y)), [1.2, 1.6], 1e-7)
    check('cosine', cosine(torch.tensor([[1.0, 0], [1, 1]]).double(), torch.tensor([[0.0, 1], [1, 1]]).double()), [0, -1], 1e-7)


def further_losses():
    keras_says()
    cases, tensors = [], {}
    for name, (loss, options, logits, target) in CASES.items():
        x = leaf(single(logits))
        rows = flat(by_torch(loss, options, x, target)).mean(dim=1)
        rows.mean().backward()
        assert torch.isfinite(rows).all() and torch.isfinite(x.grad).all(), name
        cases.append({'name': name, 'loss': {'type': loss, **options}})
        values = {'logits': single(logits), 'rows': double(rows), 'dlogits': double(x.grad)}
        values['target'] = target if target.dtype == np.int32 else single(target)
        tensors.update({f'{name}/{key}': value for key, value in values.items()})
    write('further-losses', 'Losses per sample with the gradient of their mean', cases, tensors)


if __name__ == '__main__':
    further_losses()
