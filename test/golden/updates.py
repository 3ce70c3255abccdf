"""
updates.safetensors: eight steps of Adadelta, Adamax and AMSGrad, of groups of weights and of constraints.
constraints.safetensors: what every constraint makes of weights.
activity.safetensors: the penalty on what a layer gives, per sample, and the gradient of its mean.

PyTorch in float64. Where Keras's rule is another one, it is written out here and held to PyTorch's in the case where both agree.

    /usr/bin/python3 test/golden/updates.py
"""
import sys

sys.dont_write_bytecode = True

import numpy as np
import torch

from tensors import double, leaf, random, single, write

STEPS = 8
NAMES = ['dense/kernel', 'dense/bias']
EPSILON = 1e-7  # keras.backend.epsilon()


def norm(w, axis):
    return w.square().sum(dim=axis, keepdim=True).sqrt()


def max_norm(w, maxValue=2, axis=0):
    length = norm(w, axis)
    return w * (length.clamp(0, maxValue) / (EPSILON + length))


def min_max_norm(w, minValue=0, maxValue=1, rate=1, axis=0):
    length = norm(w, axis)
    wanted = rate * length.clamp(minValue, maxValue) + (1 - rate) * length
    return w * (wanted / (EPSILON + length))


def non_neg(w):
    return w * (w >= 0)


def unit_norm(w, axis=0):
    return w / (EPSILON + norm(w, axis))


CONSTRAINTS = {'maxNorm': max_norm, 'minMaxNorm': min_max_norm, 'nonNeg': non_neg, 'unitNorm': unit_norm}
CASES = [
    ('maxNorm', {}, [5, 3]),
    ('maxNorm', {'maxValue': 0.75, 'axis': [0, 1, 2]}, [3, 2, 4, 5]),
    ('maxNorm', {'maxValue': 0.5, 'axis': -1}, [4, 3]),
    ('maxNorm', {'maxValue': 1}, [7]),
    ('minMaxNorm', {'minValue': 0.9, 'maxValue': 1.1, 'rate': 0.75}, [4, 6]),
    ('minMaxNorm', {'axis': 1}, [4, 6]),
    ('nonNeg', {}, [4, 6]),
    ('unitNorm', {}, [5, 3]),
    ('unitNorm', {'axis': [0, 1, 2]}, [3, 2, 4, 5]),
]


def constraints():
    cases, tensors = [], {}
    for i, (name, options, shape) in enumerate(CASES):
        w = random(f'{name}/{i}', shape)
        w[..., 0] = 0  # a vector, or a part of each, of zeros
        w[..., -1] *= 8  # and a long one
        y = CONSTRAINTS[name](torch.tensor(w), **options)
        if name == 'maxNorm' and options.get('axis', 0) == 0 and len(shape) == 2:
            longest = options.get('maxValue', 2)
            renormed = torch.renorm(torch.tensor(w), 2, 1, longest)
            assert torch.allclose(y, renormed, rtol=1e-6, atol=1e-7)
        if name == 'unitNorm' and len(shape) == 2:
            assert torch.allclose(y, torch.nn.functional.normalize(torch.tensor(w), dim=0), rtol=1e-6)
        cases.append({'name': f'{name}-{i}', 'constraint': {'type': name, **options}})
        tensors[f'{name}-{i}/w'] = single(w)
        tensors[f'{name}-{i}/y'] = double(y)
    write('constraints', 'Weights as constraints have them', cases, tensors)


class KerasAdamax(torch.optim.Optimizer):
    """w -= rate / (1 - beta1^t) * m / (u + epsilon); PyTorch adds epsilon to |g| before the maximum."""

    def __init__(self, groups, lr, betas, eps):
        super().__init__(groups, {'lr': lr, 'betas': betas, 'eps': eps, 'weight_decay': 0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group['betas']
            for w in group['params']:
                state = self.state[w]
                m, u, t = state.get('all', (torch.zeros_like(w), torch.zeros_like(w), 0))
                m = m + (w.grad - m) * (1 - beta1)
                u = torch.maximum(beta2 * u, w.grad.abs())
                state['all'] = m, u, t + 1
                w -= group['lr'] * m / ((1 - beta1 ** (t + 1)) * (u + group['eps']))


class KerasAmsgrad(torch.optim.Optimizer):
    """Adam with the largest velocity and epsilon before the bias correction."""

    def __init__(self, groups, lr, betas, eps):
        super().__init__(groups, {'lr': lr, 'betas': betas, 'eps': eps, 'weight_decay': 0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group['betas']
            for w in group['params']:
                state = self.state[w]
                m, v, largest, t = state.get('all', (*(torch.zeros_like(w) for _ in range(3)), 0))
                m = m + (w.grad - m) * (1 - beta1)
                v = v + (w.grad * w.grad - v) * (1 - beta2)
                largest = torch.maximum(largest, v)
                t += 1
                state['all'] = m, v, largest, t
                alpha = group['lr'] * (1 - beta2**t) ** 0.5 / (1 - beta1**t)
                w -= alpha * m / (largest.sqrt() + group['eps'])


def betas(o):
    return {'betas': (o['beta1'], o['beta2']), 'eps': o['epsilon']}


def optimizer_of(kind, groups, o):
    rate = o['learningRate']
    if kind == 'adadelta':
        return torch.optim.Adadelta(groups, lr=rate, rho=o['rho'], eps=o['epsilon'])
    if kind == 'adamax':
        return KerasAdamax(groups, rate, **betas(o))
    if kind in ('adam', 'adamW') and o['epsilonMode'] == 'torch':
        return torch.optim.AdamW(groups, lr=rate, amsgrad=o['amsgrad'], **betas(o))
    if kind == 'adam':
        return KerasAmsgrad(groups, rate, **betas(o))
    return torch.optim.SGD(groups, lr=rate, momentum=o.get('momentum', 0))


MOMENTS = {'learningRate': 0.1, 'beta1': 0.9, 'beta2': 0.75, 'epsilon': 1e-3}
TORCH = {**MOMENTS, 'epsilonMode': 'torch'}
# name, optimizer, options, per weight [factor of the rate, decay], constraints
UPDATES = [
    ('adadelta', 'adadelta', {'learningRate': 1.0, 'rho': 0.9, 'epsilon': 1e-3}, None, {}),
    ('adadelta-keras', 'adadelta', {'learningRate': 1.0, 'rho': 0.95, 'epsilon': 1e-7}, None, {}),
    ('adamax', 'adamax', MOMENTS, None, {}),
    ('adamax-decayed', 'adamax', {**MOMENTS, 'epsilon': 0.0, 'beta2': 0.5}, None, {}),
    ('amsgrad', 'adam', {**TORCH, 'amsgrad': True}, None, {}),
    ('amsgrad-keras', 'adam', {**MOMENTS, 'epsilonMode': 'keras', 'amsgrad': True}, None, {}),
    ('amsgrad-adamW', 'adamW', {**TORCH, 'amsgrad': True, 'weightDecay': 0.2}, [[1, 0.2], [1, 0.2]], {}),
    ('groups', 'sgd', {
        'learningRate': 0.1, 'momentum': 0.9,
        'groups': [{'names': ['*/bias'], 'learningRateFactor': 0.25}]}, [[1, 0], [0.25, 0]], {}),
    ('groups-decay', 'adamW', {
        **TORCH, 'amsgrad': False, 'weightDecay': 0.2, 'groups': [
            {'names': ['other*', '*/bias'], 'learningRateFactor': 2, 'weightDecay': 0},
            {'names': ['dense'], 'learningRateFactor': 0.5, 'weightDecay': 0.3}]}, [[0.5, 0.3], [2, 0]], {}),
    ('constraints', 'sgd', {'learningRate': 0.5, 'momentum': 0.9}, None, {
        'dense/kernel': {'type': 'maxNorm', 'maxValue': 0.8}, 'dense/bias': {'type': 'nonNeg'}}),
    ('constraints-accumulated', 'sgd', {'learningRate': 0.5, 'gradientAccumulationSteps': 3}, None, {
        'dense/kernel': {'type': 'unitNorm'}, 'dense/bias': {'type': 'maxNorm', 'maxValue': 0.5}}),
]


def agreements():
    """PyTorch's Adamax and AMSGrad, where epsilon is too small to matter."""
    start, gradients = random('start', [6]), [random(f'g{i}', [6]) for i in range(STEPS)]
    for ours, theirs in [
        (KerasAdamax, torch.optim.Adamax),
        (KerasAmsgrad, lambda *a, **o: torch.optim.Adam(*a, **o, amsgrad=True)),
    ]:
        results = []
        for made in (ours, theirs):
            w = torch.nn.Parameter(torch.tensor(start))
            optimizer = made([{'params': [w]}], lr=0.1, betas=(0.9, 0.75), eps=1e-14)
            for g in gradients:
                w.grad = torch.tensor(g)
                optimizer.step()
            results.append(double(w))
        assert np.allclose(*results, rtol=1e-11), results


def updates():
    agreements()
    cases, tensors = [], {}
    for name, kind, o, rules, held in UPDATES:
        start = [random(f'{name}/{i}', shape) for i, shape in enumerate(([4, 3], [3]))]
        parameters = [torch.nn.Parameter(torch.tensor(w)) for w in start]
        groups = [
            {'params': [w], 'lr': o['learningRate'] * factor, 'weight_decay': decay}
            for w, (factor, decay) in zip(parameters, rules or [[1, 0]] * 2)
        ]
        optimizer = optimizer_of(kind, groups, o)
        count = o.get('gradientAccumulationSteps', 1)
        weights, all_gradients = [], []
        for step in range(STEPS):
            gradients = [random(f'{name}/{i}/{step}', w.shape) for i, w in enumerate(start)]
            if step >= 3:
                gradients = [g / 4 for g in gradients]  # the largest lie in the past
            for w, g in zip(parameters, gradients):
                w.grad = torch.tensor(g) / count + (0 if w.grad is None else w.grad)
            if (step + 1) % count == 0:
                optimizer.step()
                for weight, w in zip(NAMES, parameters):
                    w.grad = None
                    if weight in held:
                        rule = dict(held[weight])
                        with torch.no_grad():
                            w.copy_(CONSTRAINTS[rule.pop('type')](w, **rule))
            weights.append([double(w) for w in parameters])
            all_gradients.append(gradients)
        cases.append({'name': name, 'optimizer': kind, 'options': o, 'constraints': held})
        for i, weight in enumerate(NAMES):
            tensors[f'{name}/{weight}/start'] = start[i]
            tensors[f'{name}/{weight}/gradients'] = np.stack([g[i] for g in all_gradients])
            tensors[f'{name}/{weight}/w'] = np.stack([w[i] for w in weights])
    write('updates', 'Eight steps of optimizers, groups and constraints', cases, tensors)


# l1 and l2 of the outputs of a sample; the mean over the samples is what a loss gets (Keras: the sum over the batch size)
ACTIVITIES = [('l1', 0.5, 0), ('l2', 0, 0.25), ('l1L2', 0.125, 0.0625)]


def activities():
    cases, tensors = [], {}
    x, w = random('activity/x', [4, 5]), random('activity/w', [5, 3])
    for name, l1, l2 in ACTIVITIES:
        kernel = leaf(w)
        y = torch.relu(torch.tensor(x) @ kernel)
        penalty = l1 * y.abs().sum(dim=1) + l2 * y.square().sum(dim=1)
        (penalty.sum() / len(x)).backward()
        factors = {key: value for key, value in {'l1': l1, 'l2': l2}.items() if value}
        cases.append({'name': name, 'regularizer': {'type': name, **factors}})
        tensors.update({
            f'{name}/x': single(x), f'{name}/w': single(w),
            f'{name}/penalty': double(penalty), f'{name}/dw': double(kernel.grad)})
    write('activity', 'Penalties on what a dense layer with relu gives', cases, tensors)


if __name__ == '__main__':
    torch.set_num_threads(1)
    constraints()
    updates()
    activities()
