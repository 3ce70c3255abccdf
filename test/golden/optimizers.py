"""
optimizers.safetensors: three steps of every optimizer by Keras 3's rules, written out in float64.
steps.safetensors: what may go on around a rule (clipping, decay, accumulation, averages) by PyTorch in float64.

A rule takes w and its options and gives a function from a gradient to the next w.
"""
import math

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim.swa_utils import AveragedModel

from tensors import check, double, random, write


def sgd(w, o):
    velocity = np.zeros_like(w)

    def step(g):
        nonlocal w, velocity
        velocity = o['momentum'] * velocity - o['learningRate'] * g
        w = w + (o['momentum'] * velocity - o['learningRate'] * g if o['nesterov'] else velocity)
        return w

    return step


def adam(w, o):
    m, v, t = np.zeros_like(w), np.zeros_like(w), 0

    def step(g):
        nonlocal w, m, v, t
        t += 1
        w = w - w * o.get('weightDecay', 0) * o['learningRate']  # AdamW: decoupled, before the step
        power1, power2 = (w.dtype.type(o[beta]) ** t for beta in ('beta1', 'beta2'))
        alpha = o['learningRate'] * math.sqrt(1 - power2) / (1 - power1)
        m = m + (g - m) * (1 - o['beta1'])
        v = v + (g * g - v) * (1 - o['beta2'])
        w = w - alpha * m / (np.sqrt(v) + o['epsilon'])
        return w

    return step


def rmsprop(w, o):
    v = np.zeros_like(w)

    def step(g):
        nonlocal w, v
        v = o['rho'] * v + (1 - o['rho']) * g * g
        w = w - o['learningRate'] * g / np.sqrt(v + o['epsilon'])
        return w

    return step


def nadam(w, o):
    m, v, t, product = np.zeros_like(w), np.zeros_like(w), 0, 1.0

    def step(g):
        nonlocal w, m, v, t, product
        t += 1
        now, following = (o['beta1'] * (1 - 0.5 * 0.96**k) for k in (t, t + 1))
        product *= now
        m = m + (g - m) * (1 - o['beta1'])
        v = v + (g * g - v) * (1 - o['beta2'])
        ahead = following * m / (1 - product * following) + (1 - now) * g / (1 - product)
        w = w - ahead * o['learningRate'] / (np.sqrt(v / (1 - o['beta2'] ** t)) + o['epsilon'])
        return w

    return step


def adagrad(w, o):
    total = np.full_like(w, o['initialAccumulatorValue'])

    def step(g):
        nonlocal w, total
        total = total + g * g
        w = w - o['learningRate'] * g / np.sqrt(total + o['epsilon'])
        return w

    return step


RULES = {'sgd': sgd, 'adam': adam, 'adamW': adam, 'rmsprop': rmsprop, 'nadam': nadam, 'adagrad': adagrad}
MOMENTS = {'beta1': 0.9, 'beta2': 0.999, 'epsilon': 1e-7}
RHO = {'rho': 0.9, 'epsilon': 1e-7}
# name, optimizer, options beside learningRate .1, scale of the gradients, w after each step as Keras 3.15 printed it
OPTIMIZERS = [
    ('sgd', 'sgd', {'momentum': 0.0, 'nesterov': False}, 1, [.99, 2.1, .97, 2.15, 1, 2.125]),
    ('sgd-momentum', 'sgd', {'momentum': 0.9, 'nesterov': False}, 1, [.99, 2.1, .961, 2.24, .9649, 2.341]),
    ('sgd-nesterov', 'sgd', {'momentum': 0.9, 'nesterov': True}, 1, [.981, 2.19, .9349, 2.366, .96841, 2.4319]),
    ('adam', 'adam', MOMENTS, 1, [.900004, 2.099999, .803488, 2.193216, .810148, 2.249581]),
    ('adam-small-gradients', 'adam', MOMENTS, 1e-6, [.996935, 2.024025, .990561, 2.048366, .991266, 2.063347]),
    ('adamW', 'adamW', {**MOMENTS, 'weightDecay': 0.004}, 1, [.899604, 2.099199, .802728, 2.191576, .809067, 2.247065]),
    ('rmsprop', 'rmsprop', RHO, 1, [.683788, 2.316228, .398077, 2.463670, .657140, 2.388206]),
    ('rmsprop-small-gradients', 'rmsprop', RHO, 1e-4, [.996838, 2.031466, .990515, 2.047187, .999995, 2.039324]),
    ('nadam', 'nadam', MOMENTS, 1, [.893721, 2.106279, .799108, 2.158436, .878155, 2.145585]),
    ('adagrad', 'adagrad', {'initialAccumulatorValue': 0.1, 'epsilon': 1e-7}, 1,
     [.969849, 2.095346, .918209, 2.138379, .979446, 2.117344]),
]


def optimizers():
    start = np.array([1.0, 2.0])
    cases, tensors = [], {}
    for name, optimizer, options, scale, printed in OPTIMIZERS:
        options = {'learningRate': 0.1, **options}
        gradients = np.array([[0.1, -1], [0.2, -0.5], [-0.3, 0.25]]) * scale
        update = RULES[optimizer](start, options)
        w = np.stack([update(g) for g in gradients])
        # Keras printed six digits from float32, where 1 - .999^t is off by 6e-6 of itself: Adam's w by up to 2.4e-6.
        update32 = RULES[optimizer](np.float32(start), options)
        check(name, [update32(g) for g in np.float32(gradients)], printed, 8e-7)
        check(name, w, printed, 2.5e-6)
        cases.append({'name': name, 'optimizer': optimizer, 'options': options})
        tensors.update({f'{name}/w0': start, f'{name}/gradients': gradients, f'{name}/w': w})
    write('optimizers', 'Three steps of every optimizer by the rules of Keras', cases, tensors)


STEPS = 8
NAMES = ['dense/kernel', 'dense/bias']
TORCH = {'beta1': 0.9, 'beta2': 0.999, 'epsilon': 1e-8, 'epsilonMode': 'torch'}
# name, optimizer, options by their names here
AROUND = [
    ('plain', 'sgd', {'learningRate': 0.1}),
    ('clipnorm', 'sgd', {'learningRate': 0.1, 'clipnorm': 0.7}),
    ('globalClipnorm', 'sgd', {'learningRate': 0.1, 'momentum': 0.9, 'globalClipnorm': 0.7}),
    ('clipvalue', 'sgd', {'learningRate': 0.1, 'clipvalue': 0.25}),
    ('weightDecay', 'sgd', {'learningRate': 0.1, 'weightDecay': 0.2}),
    ('adamW-excluded', 'adamW', {'learningRate': 0.1, **TORCH, 'weightDecay': 0.2, 'excludeFromWeightDecay': ['bias']}),
    ('useEma', 'sgd', {'learningRate': 0.1, 'useEma': True, 'emaMomentum': 0.8}),
    ('emaOverwriteFrequency', 'adamW', {
        'learningRate': 0.1, **TORCH, 'useEma': True, 'emaMomentum': 0.8, 'emaOverwriteFrequency': 3}),
    ('accumulated-momentum', 'sgd', {'learningRate': 0.1, 'momentum': 0.9, 'gradientAccumulationSteps': 3}),
    ('accumulated-adamW', 'adamW', {'learningRate': 0.1, **TORCH, 'weightDecay': 0.2, 'gradientAccumulationSteps': 2}),
    ('all', 'adamW', {
        'learningRate': {'type': 'exponentialDecay', 'initialLearningRate': 0.1, 'decaySteps': 1, 'decayRate': 0.7},
        **TORCH, 'weightDecay': 0.2, 'excludeFromWeightDecay': ['bias'], 'globalClipnorm': 0.5,
        'useEma': True, 'emaMomentum': 0.8, 'emaOverwriteFrequency': 2, 'gradientAccumulationSteps': 2}),
]


class Weights(torch.nn.Module):
    def __init__(self, values):
        super().__init__()
        self.list = torch.nn.ParameterList([torch.nn.Parameter(torch.tensor(value)) for value in values])


def torch_optimizer(kind, parameters, o):
    decay = o.get('weightDecay', 0.004 if kind == 'adamW' else 0)
    excluded = o.get('excludeFromWeightDecay', [])
    groups = [
        {'params': [w], 'weight_decay': 0 if any(part in name for part in excluded) else decay}
        for name, w in zip(NAMES, parameters)
    ]
    rate = o['learningRate'] if isinstance(o['learningRate'], float) else o['learningRate']['initialLearningRate']
    if kind == 'adamW':
        return torch.optim.AdamW(groups, lr=rate, betas=(o['beta1'], o['beta2']), eps=o['epsilon'])
    # SGD's own weight_decay is a term of the gradient: the same thing without momentum
    return torch.optim.SGD(groups, lr=rate, momentum=o.get('momentum', 0))


def clip_norm(parameters, longest):
    """Keras: g * longest / max(norm, longest). PyTorch adds 1e-6 to the norm, and agrees to that."""
    grads = [w.grad.clone() for w in parameters]
    clip_grad_norm_(parameters, longest)
    norm = math.sqrt(sum(float((g * g).sum()) for g in grads))
    for w, g in zip(parameters, grads):
        wanted = g * (longest / max(norm, longest))
        assert torch.allclose(w.grad, wanted, rtol=1e-5, atol=0)
        w.grad = wanted


def around(name, kind, o):
    start = [random(f'{name}/{i}', shape) for i, shape in enumerate(([2, 3], [3]))]
    gradients = [[random(f'{name}/{i}/{step}', w.shape) for i, w in enumerate(start)] for step in range(STEPS)]
    model = Weights(start)
    parameters = list(model.list)
    optimizer = torch_optimizer(kind, parameters, o)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.7) if name == 'all' else None
    momentum = o.get('emaMomentum', 0.99)
    ema = AveragedModel(model, avg_fn=lambda average, w, _: momentum * average + (1 - momentum) * w)
    count = o.get('gradientAccumulationSteps', 1)
    updates, weights, averages = 0, [], []
    for step, grads in enumerate(gradients):
        # the loss of a micro-batch is divided by their number, and backward() adds up
        sum((w * torch.tensor(g)).sum() / count for w, g in zip(parameters, grads)).backward()
        if (step + 1) % count == 0:
            if 'clipvalue' in o:
                clip_grad_value_(parameters, o['clipvalue'])
            if 'clipnorm' in o:
                for w in parameters:
                    clip_norm([w], o['clipnorm'])
            if 'globalClipnorm' in o:
                clip_norm(parameters, o['globalClipnorm'])
            optimizer.step()
            optimizer.zero_grad()
            updates += 1
            if scheduler:
                scheduler.step()
            ema.update_parameters(model)
            if updates % o.get('emaOverwriteFrequency', STEPS + 1) == 0:
                with torch.no_grad():
                    for w, average in zip(parameters, ema.module.list):
                        w.copy_(average)
        weights.append([double(w) for w in parameters])
        averages.append([double(w if updates == 0 else average) for w, average in zip(parameters, ema.module.list)])
    tensors = {}
    for i, weight in enumerate(NAMES):
        tensors[f'{name}/{weight}/start'] = start[i]
        tensors[f'{name}/{weight}/gradients'] = np.stack([g[i] for g in gradients])
        tensors[f'{name}/{weight}/w'] = np.stack([w[i] for w in weights])
        if o.get('useEma'):
            tensors[f'{name}/{weight}/average'] = np.stack([w[i] for w in averages])
    return {'name': name, 'optimizer': kind, 'options': o}, tensors


def steps():
    # Keras's published example of clipnorm
    w = torch.nn.Parameter(torch.zeros(2).double())
    w.grad = torch.tensor([0.1, -1.0]).double()
    clip_norm([w], 1.0)
    check('clipnorm', w.grad, [0.0995, -0.995], 5e-5)
    results = [around(*case) for case in AROUND]
    tensors = {key: value for _, more in results for key, value in more.items()}
    write('steps', 'Eight steps with what may go on around a rule', [case for case, _ in results], tensors)
