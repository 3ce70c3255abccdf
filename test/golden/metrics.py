"""metrics.safetensors: the rows of the table of metrics, per sample, from logits and from targets of every form."""
import numpy as np
import torch
import torch.nn.functional as F

from tensors import double, random, single, write

scores = 4 * random('metrics/scores', [8, 7])
labels = np.array([0, 6, 2, 3, 1, 5, 4, 2], np.int32)
one_hot = np.eye(7)[labels]
sides = 2 * random('metrics/sides', [6, 3])
bits = (random('metrics/bits', [6, 3]) > 0).astype(float)
values, wanted = 3 * random('metrics/values', [4, 5]), 3 * random('metrics/wanted', [4, 5])


def by_torch(metric, options, head, logits, target):
    if metric in ('meanSquaredError', 'meanAbsoluteError'):
        return {'meanSquaredError': F.mse_loss, 'meanAbsoluteError': F.l1_loss}[metric](logits, target, reduction='none').mean(dim=1)
    if head != 'softmax':
        answer = torch.sigmoid(logits) if head == 'sigmoid' else logits
        return torch.eq(answer > options.get('threshold', 0.5), target > 0.5).double().mean(dim=1)
    right = target if target.dim() == 1 else target.argmax(dim=1)
    places = logits.topk(options.get('k', 5) if metric == 'topKAccuracy' else 1, dim=1).indices
    return torch.any(places == right[:, None], dim=1).double()


# metric, its options, the head, logits, targets
CASES = [
    ('accuracy', {}, 'softmax', scores, labels), ('accuracy', {}, 'softmax', scores, one_hot),
    ('accuracy', {}, 'sigmoid', sides, bits),
    ('binaryAccuracy', {}, 'sigmoid', sides, bits), ('binaryAccuracy', {'threshold': 0.75}, 'sigmoid', sides, bits),
    ('binaryAccuracy', {}, 'linear', sides, bits),
    ('topKAccuracy', {}, 'softmax', scores, labels), ('topKAccuracy', {'k': 2}, 'softmax', scores, one_hot),
    ('meanSquaredError', {}, 'linear', values, wanted), ('meanAbsoluteError', {}, 'linear', values, wanted),
]


def metrics():
    cases, tensors = [], {}
    for i, (metric, options, head, logits, target) in enumerate(CASES):
        name = f'{metric} {i}'
        whole = target.dtype == np.int32
        rows = by_torch(metric, options, head, torch.tensor(logits), torch.tensor(target).long() if whole else torch.tensor(target))
        cases.append({'name': name, 'metric': {'type': metric, **options}, 'head': head})
        tensors.update({f'{name}/logits': single(logits), f'{name}/target': target if whole else single(target), f'{name}/rows': double(rows)})
    write('metrics', 'Metrics per sample', cases, tensors)
