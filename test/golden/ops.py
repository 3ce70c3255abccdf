"""ops.safetensors: products, movement, reductions, indexing and elementwise rows of two, with gradients for dy."""
import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F

from tensors import double, leaf, pad, random, single, write


def along(axes, rank):
    return [axis % rank for axis in (range(rank) if axes is None else axes)]


def reduction(by):
    return lambda x, axes=None, keepDims=False: by(x, dim=along(axes, x.dim()), keepdim=keepDims)


OPS = {
    'matmul': lambda a, b, transposeA=False, transposeB=False: (a.T if transposeA else a) @ (b.T if transposeB else b),
    'transpose': lambda x, permutation: x.permute(permutation),
    'reshape': lambda x, shape: x.reshape(shape),
    'broadcastTo': lambda x, shape: x.expand(shape),
    'pad': lambda x, padding, value=0: pad(x, padding, value),
    'slice': lambda x, begin, size: x[tuple(slice(b, b + n) for b, n in zip(begin, size))],
    'concat': lambda *x, axis: torch.cat(x, dim=axis),
    'sum': reduction(torch.sum), 'mean': reduction(torch.mean),
    'max': reduction(torch.amax),  # ties share the gradient
    'argmax': lambda x, axis=-1: torch.tensor(np.argmax(x.detach().numpy(), axis=axis)),  # numpy promises the first
    'gather': lambda table, indices: table[indices],
    'oneHot': lambda indices, depth: F.one_hot(indices, depth),
    'select': torch.where,
    'add': torch.add, 'sub': torch.sub, 'mul': torch.mul, 'div': torch.div,
    'maximum': torch.maximum, 'minimum': torch.minimum,
    'less': torch.lt, 'lessEqual': torch.le, 'greater': torch.gt, 'greaterEqual': torch.ge, 'equal': torch.eq,
    'neg': torch.neg, 'abs': torch.abs, 'sqrt': torch.sqrt, 'finite': torch.isfinite, 'toFloat': lambda x: x * 1,
}
COMPARISONS = ['less', 'lessEqual', 'greater', 'greaterEqual', 'equal']
ARITHMETIC = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum']

# op, shapes, attributes
CASES = [
    ('matmul', [[3, 5], [5, 2]], {}), ('matmul', [[5, 3], [5, 4]], {'transposeA': True}),
    ('matmul', [[3, 7], [6, 7]], {'transposeB': True}),
    ('matmul', [[4, 3], [2, 4]], {'transposeA': True, 'transposeB': True}),
    ('matmul', [[1, 40], [40, 37]], {}), ('matmul', [[2, 9], [9, 30]], {}), ('matmul', [[3, 7], [7, 37]], {}), ('matmul', [[13, 33], [33, 21]], {}),
    ('transpose', [[3, 5]], {'permutation': [1, 0]}), ('transpose', [[2, 3, 4]], {'permutation': [2, 0, 1]}),
    ('transpose', [[2, 3, 4, 5]], {'permutation': [0, 3, 1, 2]}),
    ('reshape', [[2, 6]], {'shape': [3, 4]}), ('reshape', [[2, 3, 4]], {'shape': [4, -1]}),
    ('broadcastTo', [[3, 1]], {'shape': [2, 3, 4]}), ('broadcastTo', [[5]], {'shape': [3, 5]}),
    ('pad', [[2, 3]], {'padding': [[1, 2], [0, 1]], 'value': 2}),
    ('pad', [[2, 3, 3, 5]], {'padding': [[0, 0], [1, 1], [2, 0], [0, 0]]}),
    ('slice', [[4, 5]], {'begin': [1, 2], 'size': [2, 3]}),
    ('slice', [[2, 4, 4, 3]], {'begin': [0, 1, 0, 0], 'size': [2, 2, 4, 3]}),
    ('concat', [[2, 3], [2, 5]], {'axis': 1}), ('concat', [[2, 3, 4], [1, 3, 4], [2, 3, 4]], {'axis': 0}),
    ('concat', [[2, 3, 4], [2, 1, 4]], {'axis': -2}),
    *[(op, shape, attrs) for op in ('sum', 'mean', 'max') for shape, attrs in [
        ([[3, 5]], {}), ([[3, 5]], {'axes': [0]}), ([[3, 5]], {'axes': [-1], 'keepDims': True}),
        ([[2, 3, 4, 5]], {'axes': [1, 2]}), ([[2, 3, 4, 5]], {'axes': [0, -1], 'keepDims': True}), ([[2, 133]], {'axes': [1]}),
    ]],
    *[(op, shapes, {}) for op in ARITHMETIC for shapes in ([[3, 5], [3, 5]], [[4, 3, 1], [3, 5]], [[7], []])],
]


def plain(name, op, shapes, attrs):
    """Numbers away from 0, so that quotients stay small."""
    draws = [random(f'{name}/x{i}', shape) for i, shape in enumerate(shapes)]
    return case(name, op, [np.where(x < 0, x - 0.25, x + 0.25) for x in draws], attrs)


def case(name, op, inputs, attrs, with_gradient=True):
    x = [torch.tensor(v) if np.asarray(v).dtype.kind in 'bi' else leaf(v) for v in inputs]
    y = OPS[op](*x, **attrs)
    whole = y.dtype == torch.int64 and op != 'oneHot'
    tensors = {f'x{i}': np.asarray(v, np.int32 if v.dtype == torch.int64 else np.float32) for i, v in enumerate(v.detach() for v in x)}
    tensors['y'] = np.asarray(y, np.int32) if whole else double(y)
    if with_gradient and y.requires_grad:
        dy = random(f'{name}/dy', y.shape)
        y.backward(torch.tensor(dy))
        tensors['dy'] = single(dy)
        tensors.update({f'd{i}': double(v.grad) for i, v in enumerate(x) if v.requires_grad})
    return {'name': name, 'op': op, 'attrs': attrs}, {f'{name}/{key}': value for key, value in tensors.items()}


def ops():
    results = []
    for i, (op, shapes, attrs) in enumerate(CASES):
        results.append(plain(f'{op} {shapes} {i}', op, shapes, attrs))
    # ties, the ends of the line, and NaN
    numbers = [-math.inf, -2, -0.5, 0, 0.5, 2, math.inf, math.nan]
    a, b = (np.array(side) for side in zip(*itertools.product(numbers, numbers)))
    for op in COMPARISONS + ARITHMETIC:
        results.append(case(f'{op} of pairs', op, [a, b], {}, with_gradient=False))
    for op in ('neg', 'abs', 'sqrt', 'finite', 'toFloat'):
        results.append(case(f'{op} of numbers', op, [np.array(numbers)], {}, with_gradient=False))
    for op, shape, attrs in [('neg', [7], {}), ('abs', [7], {}), ('toFloat', [7], {})]:
        results.append(plain(op, op, [shape], attrs))
    ties = np.array([[1, 3, 3, 2], [0, 0, 0, 0], [5, -1, 5, 5]], np.float64)
    results += [case('max with ties', 'max', [ties], {'axes': [1]}), case('max of all with ties', 'max', [ties], {})]
    squares = np.array([[[1, 1]], [[1, 0]]], np.float64)
    results.append(case('max with ties over two axes apart', 'max', [squares], {'axes': [0, 2]}))
    halves = np.floor(2 * random('max/halves', [3, 4, 2, 5])) / 2
    for axes in ([0, 2], [1, 3], [0, 1, 3]):
        results.append(case(f'max with ties over {axes}', 'max', [halves], {'axes': axes, 'keepDims': axes[0] == 1}))
    for axis in (0, 1, -1):
        results.append(case(f'argmax along {axis}, ties', 'argmax', [ties], {'axis': axis}))
    results.append(case('argmax of the last axis', 'argmax', [random('argmax', [2, 3, 9])], {}))
    table, rows = random('gather', [5, 3]), np.array([[4, 0, 4], [2, 4, 1]])
    results.append(case('gather, rows that come twice', 'gather', [table, rows], {}))
    results.append(case('oneHot', 'oneHot', [rows], {'depth': 6}))
    condition = np.array([[True, False, True], [False, True, False]])
    results.append(case('select', 'select', [condition, random('select/a', [2, 3]), random('select/b', [2, 3])], {}))
    tensors = {key: value for _, more in results for key, value in more.items()}
    write('ops', 'Products, movement, reductions, indexing, elementwise rows of two', [c for c, _ in results], tensors)
