"""
summed-metrics.safetensors: metrics that are no means over samples, each as one number over all samples.

    /usr/bin/python3 test/golden/summed_metrics.py

Every number is worked out sample by sample or by another formula than the library's: areas under ROC curves by pairs of samples
(Mann and Whitney 1947), those under PR curves by integrating numerically, correlations as those of the columns of one-hot rows.
"""
import math
import sys

sys.dont_write_bytecode = True

import numpy as np

from tensors import double, random, single, write

N = 53


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


HEADS = {'softmax': softmax, 'sigmoid': lambda x: 1 / (1 + np.exp(-x)), 'linear': lambda x: x}

CLASSES = 5
scores = 3 * random('summed/scores', [N, CLASSES])
labels = np.array([int(abs(u) * CLASSES) for u in random('summed/labels', [N])], np.int32)
labels[::3] = scores[::3].argmax(axis=1)
labels[labels == 4] = 1  # a class that never is, though it is decided for
one_hot = np.eye(CLASSES)[labels]
# yes and no: one number a sample, four labels, and a mask of places
one = 3 * random('summed/one', [N, 1])
yes = (one[:, 0] + 2 * random('summed/yes', [N]) > 0).astype(np.int32)
four = 3 * random('summed/four', [N, 4])
marks = (four + 3 * random('summed/marks', [N, 4]) > 0).astype(float)
mask = 3 * random('summed/mask', [N, 3, 2, 2])
masked = (mask + 3 * random('summed/masked', [N, 3, 2, 2]) > 1).astype(float)
margins = 2 * random('summed/margins', [N, 1])
signs = np.where(margins[:, 0] + random('summed/signs', [N]) > 0, 1, -1).astype(np.int32)
numbers, wanted = 4 * random('summed/numbers', [N, 3]), 4 * random('summed/wanted', [N, 3])
years = 2000 + 2 * random('summed/years', [N, 1])
guesses = years + random('summed/guesses', [N, 1]) / 2
weights = np.floor(8 * np.abs(random('summed/weights', [N]))) / 4
weights[[3, 17]] = 0


class Samples:
    """Answers and truth in columns, a row per sample or per place of a sample, with what each row counts for."""

    def __init__(self, case):
        self.answer = HEADS[case['head']](case['logits'])
        self.chooses = case['head'] != 'sigmoid' and 'yesAbove' not in case and case['logits'].shape[-1] > 1 and case['logits'].ndim == 2
        self.above = case.get('yesAbove', 0.5)
        columns = self.answer.shape[-1]
        self.scores = self.answer.reshape(-1, columns)
        target = case['target']
        self.truth = (np.eye(columns)[target] if self.chooses and target.ndim == 1 else (target.reshape(-1, columns) > 0.5)).astype(float)
        counted = case['weights'] if case['weights'] is not None else np.ones(N)
        self.w = np.repeat(counted, len(self.scores) // N)

    def decided(self, threshold=None, topK=None):
        if topK is not None:
            places = np.argsort(np.argsort(-self.scores, axis=1, kind='stable'), axis=1)
            return (places < topK) * (1.0 if threshold is None else self.scores > threshold)
        if threshold is None and self.chooses:
            return np.eye(self.scores.shape[1])[self.scores.argmax(axis=1)]
        return (self.scores > (self.above if threshold is None else threshold)).astype(float)

    def column(self, i):
        return self.scores[:, i], self.truth[:, i], self.w

    def pooled(self):
        return self.scores.ravel(), self.truth.ravel(), np.repeat(self.w, self.scores.shape[1])

    def confusion(self, threshold=None):
        """counts[true][decided]"""
        d = self.decided(threshold)
        if self.chooses:
            matrix = np.zeros((CLASSES, CLASSES))
            for row in range(len(d)):
                matrix[self.truth[row].argmax(), d[row].argmax()] += self.w[row]
            return matrix
        matrix = np.zeros((2, 2))
        for so, said, w in zip(self.truth.ravel(), d.ravel(), np.repeat(self.w, d.shape[1])):
            matrix[int(so), int(said)] += w
        return matrix


def divided(a, b):
    return a / b if b != 0 else 0.0


def score(kind, d, truth, w, beta=1.0):
    tp = sum(wi for di, ti, wi in zip(d, truth, w) if di and ti)
    fp = sum(wi for di, ti, wi in zip(d, truth, w) if di and not ti)
    fn = sum(wi for di, ti, wi in zip(d, truth, w) if not di and ti)
    precision, recall = divided(tp, tp + fp), divided(tp, tp + fn)
    if kind == 'precision':
        return precision
    if kind == 'recall':
        return recall
    return divided((1 + beta**2) * precision * recall, beta**2 * precision + recall)


def averaged(kind, s, average='macro', classId=None, threshold=None, topK=None, beta=1.0):
    d = s.decided(threshold, topK)
    if classId is not None:
        return score(kind, d[:, classId], s.truth[:, classId], s.w, beta)
    if average == 'micro':
        return score(kind, d.ravel(), s.truth.ravel(), np.repeat(s.w, d.shape[1]), beta)
    own = [score(kind, d[:, i], s.truth[:, i], s.w, beta) for i in range(d.shape[1])]
    if average == 'macro':
        return sum(own) / len(own)
    support = [float((s.truth[:, i] * s.w).sum()) for i in range(d.shape[1])]
    return sum(a * b for a, b in zip(own, support)) / sum(support)


def edges(count):
    t = np.arange(count) / (count - 1)
    t[0] -= 1e-7
    t[-1] += 1e-7
    return t


def at(threshold, column):
    p, y, w = column
    return float((w * y)[p > threshold].sum()), float((w * (1 - y))[p > threshold].sum())


def pairs(column):
    """How often a positive one is above a negative one, ties half."""
    p, y, w = column
    won = lost = 0.0
    for i in np.flatnonzero(y):
        for j in np.flatnonzero(1 - y):
            won += w[i] * w[j] * (1.0 if p[i] > p[j] else 0.5 if p[i] == p[j] else 0.0)
            lost += w[i] * w[j]
    return won / lost


def integrated(column, count):
    """Precision over recall, where between two thresholds true and false positives grow in proportion: by small steps."""
    points = [at(t, column) for t in edges(count)]
    positives = (column[1] * column[2]).sum()
    area = 0.0
    for (tp, fp), (tp2, fp2) in zip(points, points[1:]):
        if tp == tp2:
            continue
        s = (np.arange(20000) + 0.5) / 20000
        t, f = tp2 + s * (tp - tp2), fp2 + s * (fp - fp2)
        area += (tp - tp2) * np.mean(t / (t + f))
    return area / positives


def stepped(column, count, curve, method):
    """Keras's sums of rectangles and trapeziums."""
    points = [at(t, column) for t in edges(count)]
    positives, negatives = (column[1] * column[2]).sum(), ((1 - column[1]) * column[2]).sum()
    if curve == 'ROC':
        x, y = [fp / negatives for _, fp in points], [tp / positives for tp, _ in points]
    else:
        x, y = [tp / positives for tp, _ in points], [divided(tp, tp + fp) for tp, fp in points]
    height = {'interpolation': lambda a, b: (a + b) / 2, 'minoring': min, 'majoring': max}[method]
    return sum((x[i] - x[i + 1]) * height(y[i], y[i + 1]) for i in range(count - 1))


def area(s, curve='ROC', numThresholds=200, summationMethod='interpolation', multiLabel=False, classId=None):
    def of(column):
        if curve == 'PR' and summationMethod == 'interpolation':
            return integrated(column, numThresholds)
        value = stepped(column, numThresholds, curve, summationMethod)
        if numThresholds > 5000:  # no two answers between two thresholds: then it is exact
            assert abs(value - pairs(column)) < 1e-12, (value, pairs(column))
            return pairs(column)
        return value
    if classId is not None:
        return of(s.column(classId))
    if multiLabel:
        return float(np.mean([of(s.column(i)) for i in range(s.scores.shape[1])]))
    return of(s.pooled())


def best(s, name, numThresholds=200, classId=None, **least):
    column = s.column(classId) if classId is not None else s.pooled()
    positives, negatives = (column[1] * column[2]).sum(), ((1 - column[1]) * column[2]).sum()

    def rate(kind, tp, fp):
        return {'precision': divided(tp, tp + fp), 'recall': divided(tp, positives), 'sensitivity': divided(tp, positives),
                'specificity': divided(negatives - fp, negatives)}[kind]
    wanted = name.split('At')[0]
    (given, reached), = least.items()
    points = [at(t, column) for t in edges(numThresholds)]
    # rates that are reached exactly would hang on the last bit
    assert all(abs(rate(given, *point) - reached) > 1e-9 for point in points)
    return max([0.0] + [rate(wanted, *point) for point in points if rate(given, *point) >= reached])


def calibration_error(s, bins=15):
    rows = []
    if s.chooses:
        for p, y, w in zip(s.scores, s.truth, s.w):
            rows.append((p.max(), float(y[p.argmax()]), w))
    else:
        for p, y, w in zip(*s.pooled()):
            rows.append((max(p, 1 - p), float((p > 0.5) == (y > 0.5)), w))
    error = 0.0
    for b in range(bins):
        inside = [row for row in rows if b / bins < row[0] <= (b + 1) / bins]
        assert all(min(abs(row[0] - b / bins), abs(row[0] - (b + 1) / bins)) > 1e-6 for row in inside)
        weight = sum(w for _, _, w in inside)
        if weight > 0:
            confidence = sum(w * p for p, _, w in inside) / weight
            accuracy = sum(w * right for _, right, w in inside) / weight
            error += weight * abs(confidence - accuracy)
    return error / sum(w for _, _, w in rows)


def kappa(matrix, weighting='none'):
    n, classes = matrix.sum(), len(matrix)
    if weighting == 'none':
        agreed = np.trace(matrix) / n
        chance = float((matrix.sum(axis=0) * matrix.sum(axis=1)).sum()) / n**2
        return (agreed - chance) / (1 - chance)
    power = {'linear': 1, 'quadratic': 2}[weighting]
    apart = np.array([[abs(i - j) ** power for j in range(classes)] for i in range(classes)])
    expected = np.outer(matrix.sum(axis=1), matrix.sum(axis=0)) / n
    return 1 - (apart * matrix).sum() / (apart * expected).sum()


def correlation(matrix):
    """Of one-hot columns, a sample as often as the matrix says."""
    n, classes = matrix.sum(), len(matrix)
    eye = np.eye(classes)
    x_mean = matrix.sum(axis=1) / n
    y_mean = matrix.sum(axis=0) / n
    xy = xx = yy = 0.0
    for i in range(classes):
        for j in range(classes):
            a, b = eye[i] - x_mean, eye[j] - y_mean
            xy += matrix[i, j] * (a * b).sum()
            xx += matrix[i, j] * (a * a).sum()
            yy += matrix[i, j] * (b * b).sum()
    return xy / math.sqrt(xx * yy)


def errors(case):
    x = HEADS[case['head']](case['logits'])
    y = case['target'].reshape(x.shape)
    w = case['weights'] if case['weights'] is not None else np.ones(N)
    return x, y, w


def rmse(case):
    x, y, w = errors(case)
    rows = ((x - y) ** 2).reshape(N, -1).mean(axis=1)
    return math.sqrt((rows * w).sum() / w.sum())


def r2(case, classAggregation='uniformAverage'):
    x, y, w = errors(case)
    own, spread = [], []
    for i in range(x.shape[-1]):
        a, b = x[..., i].reshape(-1), y[..., i].reshape(-1)
        v = np.repeat(w, len(a) // N)
        mean = (v * b).sum() / v.sum()
        spread.append(float((v * (b - mean) ** 2).sum()))
        own.append(1 - float((v * (a - b) ** 2).sum()) / spread[-1])
    if classAggregation == 'sum':
        return sum(own)
    if classAggregation == 'uniformAverage':
        return sum(own) / len(own)
    return sum(a * b for a, b in zip(own, spread)) / sum(spread)


def value(case):
    name, options = case['metric'], case['options']
    if name == 'rootMeanSquaredError':
        return rmse(case)
    if name == 'r2Score':
        return r2(case, **options)
    s = Samples(case)
    if name in ('precision', 'recall', 'f1Score', 'fBetaScore'):
        if options.get('threshold') is not None:
            assert np.abs(s.scores - options['threshold']).min() > 1e-6
        return averaged(name, s, **options)
    if name == 'auc' or 'At' in name:
        t = edges(options.get('numThresholds', 200)).astype(np.float32)
        read = s.scores if options.get('classId') is None else s.scores[:, options['classId']]
        assert min(np.abs(p - t).min() for p in read.ravel()) > 1e-7, (name, options)  # float32 sees them on the same side
        return area(s, **options) if name == 'auc' else best(s, name, **options)
    if name == 'expectedCalibrationError':
        return calibration_error(s, **options)
    return {'cohenKappa': kappa, 'matthewsCorrelation': correlation}[name](
        s.confusion(options.get('threshold')), **{k: v for k, v in options.items() if k != 'threshold'})


SOURCES = {
    'labels': {'head': 'softmax', 'logits': scores, 'target': labels},
    'rows': {'head': 'softmax', 'logits': scores, 'target': one_hot},
    'plain': {'head': 'linear', 'logits': scores, 'target': labels},
    'yes': {'head': 'sigmoid', 'logits': one, 'target': yes},
    'four': {'head': 'sigmoid', 'logits': four, 'target': marks},
    'mask': {'head': 'sigmoid', 'logits': mask, 'target': masked},
    'signs': {'head': 'linear', 'logits': margins, 'target': signs, 'yesAbove': 0},
    'numbers': {'head': 'linear', 'logits': numbers, 'target': wanted},
    'years': {'head': 'linear', 'logits': guesses, 'target': years},
}

# metric, its options, source, weighted?
CASES = [
    *[(kind, options, source, False) for kind in ('precision', 'recall', 'f1Score')
      for options, source in [({}, 'labels'), ({'average': 'micro'}, 'four'), ({'average': 'weighted'}, 'labels')]],
    ('precision', {}, 'rows', True), ('precision', {}, 'plain', False), ('precision', {'classId': 2}, 'labels', False),
    ('precision', {'average': 'micro', 'threshold': 0.4}, 'labels', False), ('precision', {'topK': 2}, 'labels', False),
    ('precision', {'topK': 3, 'threshold': 0.1, 'average': 'micro'}, 'labels', False), ('precision', {}, 'signs', False),
    ('recall', {}, 'yes', True), ('recall', {'threshold': 0.7}, 'yes', False), ('recall', {'classId': 3}, 'four', True),
    ('recall', {'topK': 2, 'classId': 1}, 'labels', False), ('recall', {'topK': 2}, 'four', False),
    ('f1Score', {}, 'yes', False), ('f1Score', {}, 'mask', True), ('f1Score', {'classId': 4}, 'labels', False),
    ('fBetaScore', {'beta': 2}, 'labels', False), ('fBetaScore', {'beta': 0.5, 'average': 'micro'}, 'four', True),
    ('fBetaScore', {}, 'four', False),
    ('auc', {}, 'yes', False), ('auc', {}, 'yes', True), ('auc', {'numThresholds': 8009}, 'yes', False),
    ('auc', {'numThresholds': 8009, 'classId': 1}, 'labels', True), ('auc', {'numThresholds': 30}, 'labels', False),
    ('auc', {'multiLabel': True, 'numThresholds': 64}, 'four', False), ('auc', {}, 'mask', True),
    ('auc', {'curve': 'PR'}, 'yes', False), ('auc', {'curve': 'PR', 'multiLabel': True}, 'four', True),
    ('auc', {'curve': 'PR', 'numThresholds': 2}, 'yes', False),
    *[('auc', {'curve': curve, 'summationMethod': method, 'numThresholds': 9}, 'yes', False)
      for curve in ('ROC', 'PR') for method in ('minoring', 'majoring')],
    ('precisionAtRecall', {'recall': 0.81}, 'yes', False), ('precisionAtRecall', {'recall': 0.6, 'classId': 2, 'numThresholds': 77}, 'labels', True),
    ('recallAtPrecision', {'precision': 0.83}, 'yes', True), ('recallAtPrecision', {'precision': 0.61}, 'four', False),
    ('sensitivityAtSpecificity', {'specificity': 0.71}, 'yes', False), ('specificityAtSensitivity', {'sensitivity': 0.71}, 'mask', False),
    ('expectedCalibrationError', {}, 'labels', False), ('expectedCalibrationError', {'bins': 7}, 'rows', True),
    ('expectedCalibrationError', {'bins': 10}, 'yes', False), ('expectedCalibrationError', {'bins': 10}, 'mask', True),
    ('cohenKappa', {}, 'labels', False), ('cohenKappa', {'weighting': 'linear'}, 'rows', True), ('cohenKappa', {'weighting': 'quadratic'}, 'labels', False),
    ('cohenKappa', {'threshold': 0.7}, 'yes', False), ('cohenKappa', {}, 'mask', True),
    ('matthewsCorrelation', {}, 'labels', True), ('matthewsCorrelation', {}, 'yes', False), ('matthewsCorrelation', {}, 'signs', False),
    ('matthewsCorrelation', {}, 'four', False),
    ('rootMeanSquaredError', {}, 'numbers', False), ('rootMeanSquaredError', {}, 'mask', True),
    ('r2Score', {}, 'numbers', False), ('r2Score', {'classAggregation': 'sum'}, 'numbers', True),
    ('r2Score', {'classAggregation': 'varianceWeightedAverage'}, 'numbers', True), ('r2Score', {}, 'mask', False), ('r2Score', {}, 'years', False),
    ('r2Score', {}, 'years', True),
]


def keras_says(metric, options, target, answers, expected, w=None):
    """The examples of Keras's own documentation, asserted in passing."""
    global N
    n, N = N, len(answers)
    case = {'metric': metric, 'options': options, 'head': 'linear', 'logits': np.array(answers, float)[:, None],
            'target': np.array(target), 'weights': None if w is None else np.array(w, float), 'yesAbove': 0.5}
    got = value(case)
    N = n
    assert abs(got - expected) < 1e-6, (metric, got, expected)


def summed_metrics():
    keras_says('specificityAtSensitivity', {'sensitivity': 0.49}, [0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8], 2 / 3)
    keras_says('auc', {'numThresholds': 3}, [0, 0, 1, 1], [0, 0.499, 0.3, 0.9], 0.75)
    cases, tensors = [], {}
    for key, source in SOURCES.items():
        target = source['target']
        tensors.update({f'{key}/logits': single(source['logits']), f'{key}/target': target if target.dtype == np.int32 else single(target)})
    tensors['weights'] = single(weights)
    for i, (metric, options, source, weighted) in enumerate(CASES):
        case = {**SOURCES[source], 'metric': metric, 'options': options, 'weights': weights if weighted else None}
        name = f'{metric} {i}: {source}'
        rest = {k: v for k, v in SOURCES[source].items() if k in ('head', 'yesAbove')}
        cases.append({'name': name, 'metric': {'type': metric, **options}, 'source': source, 'weighted': weighted, **rest})
        tensors[f'{name}/value'] = double([value(case)])
    write('summed-metrics', 'Metrics over all samples', cases, tensors)


if __name__ == '__main__':
    summed_metrics()
