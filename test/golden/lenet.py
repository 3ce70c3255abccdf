"""lenet.safetensors: ten whole training steps of LeNet in float64; weights and images come from formulas."""
import math

import numpy as np
import torch
import torch.nn.functional as F

from optimizers import adam
from tensors import channels_first, channels_last, double, kernel_for_torch, leaf, single, uniforms, write

STEPS, BATCH, SIDE, CLASSES = 10, 8, 28, 10
IMAGE_SEED = 20240229
ADAM = {'learningRate': 1e-3, 'beta1': 0.9, 'beta2': 0.999, 'epsilon': 1e-7}
# Kernels as Keras lays them out; dense1 reads [7, 7, 50] flattened in the order height, width, channel. Biases are zero.
PARAMETERS = [  # name, shape, seed
    ('conv1/kernel', [5, 5, 1, 20], 1), ('conv1/bias', [20], None),
    ('conv2/kernel', [5, 5, 20, 50], 2), ('conv2/bias', [50], None),
    ('dense1/kernel', [2450, 500], 3), ('dense1/bias', [500], None),
    ('dense2/kernel', [500, 10], 4), ('dense2/bias', [10], None),
]
WHOLE = 25000  # larger tensors are stored as every 211th element of the flat tensor
STRIDE = 211


def initial_weight(shape, seed):
    """Glorot's uniform: (2u - 1) * limit in float64, then rounded to float32; one u an element in row-major order."""
    if seed is None:
        return np.zeros(shape)
    field = math.prod(shape[:-2])
    limit = math.sqrt(6 / (field * shape[-2] + field * shape[-1]))
    draw = uniforms(seed)
    values = [(2 * next(draw) - 1) * limit for _ in range(math.prod(shape))]
    return np.array(values, np.float32).astype(np.float64).reshape(shape)


def draw_images():
    """
    80 images with labels, all from one generator: per image one u for the label, one for the top, one for the left, then
    784 for the pixels, row by row. A bright square of 9 x 9 stands where its label says, on sparse noise:

        label = floor(u * 10); top = 1 + 12 * floor(label / 5) + floor(u * 4); left = 1 + 4 * (label mod 5) + floor(u * 2)
        inside (top <= row < top + 9, left <= column < left + 9):  byte = 96 + floor(u * 160)
        outside:                                                   byte = u < 0.75 ? 0 : floor((u - 0.75) * 512)
    """
    draw = uniforms(IMAGE_SEED)
    images, labels = np.zeros([STEPS * BATCH, SIDE, SIDE, 1], np.int32), []
    for image in images:
        label = math.floor(next(draw) * CLASSES)
        labels.append(label)
        top = 1 + 12 * (label // 5) + math.floor(next(draw) * 4)
        left = 1 + 4 * (label % 5) + math.floor(next(draw) * 2)
        for row, column in np.ndindex(SIDE, SIDE):
            u = next(draw)
            if top <= row < top + 9 and left <= column < left + 9:
                image[row, column] = 96 + math.floor(u * 160)
            elif u >= 0.75:
                image[row, column] = math.floor((u - 0.75) * 512)
    return images.reshape(STEPS, BATCH, SIDE, SIDE, 1), np.array(labels, np.int32).reshape(STEPS, BATCH)


def lenet(weights, images):
    x = channels_first(images)
    for name in ('conv1', 'conv2'):
        x = F.conv2d(x, kernel_for_torch(weights[f'{name}/kernel']), weights[f'{name}/bias'], padding=2)
        x = F.max_pool2d(F.relu(x), 2)
    x = channels_last(x).flatten(1)
    x = F.relu(x @ weights['dense1/kernel'] + weights['dense1/bias'])
    return x @ weights['dense2/kernel'] + weights['dense2/bias']


def excerpt(prefix, values):
    """
    The tensor, or every 211th element of a large one; and its `summary`: the L2 norm, and the sum over i of
    sign(i) * flat[i] with sign(i) = -1 where (i * 2654435761 mod 2^32) >= 2^31, else +1.
    """
    flat = double(values).ravel()
    signs = np.where(np.arange(flat.size, dtype=np.uint64) * 2654435761 % 2**32 >= 2**31, -1.0, 1.0)
    summary = np.array([math.sqrt(math.fsum(flat * flat)), math.fsum(flat * signs)])
    shown = double(values) if flat.size <= WHOLE else flat[::STRIDE].copy()
    return {prefix: shown, f'{prefix}/summary': summary}


def train():
    images, labels = draw_images()
    weights = {name: leaf(initial_weight(shape, seed)) for name, shape, seed in PARAMETERS}
    tensors = {'labels': labels, 'pixelSums': images.sum(axis=(2, 3, 4), dtype=np.int32)}
    for name, *_ in PARAMETERS:
        tensors[f'initial/{name}/summary'] = excerpt('', weights[name])['/summary']
        tensors[f'initial/{name}/head'] = single(double(weights[name]).ravel()[:8])
    update = {name: adam(double(weights[name]), ADAM) for name in weights}
    history = []
    for step in range(STEPS):
        logits = lenet(weights, torch.tensor(images[step] / 255))
        target = torch.tensor(labels[step]).long()
        loss = F.cross_entropy(logits, target)
        loss.backward()
        history.append([loss.item(), (logits.argmax(1) == target).double().mean().item()])
        if step == 0:
            tensors['logits'] = double(logits)
            for name in weights:
                tensors.update(excerpt(f'gradient/{name}', weights[name].grad))
        weights = {name: leaf(update[name](double(weights[name].grad))) for name in weights}
    for name in weights:
        tensors.update(excerpt(f'weight/{name}', weights[name]))
    tensors['losses'], tensors['accuracies'] = np.array(history).T.copy()
    print('  losses', *np.round(tensors['losses'], 4), 'accuracies', *tensors['accuracies'])
    case = {
        'name': 'lenet', 'steps': STEPS, 'batch': BATCH, 'imageSeed': IMAGE_SEED, 'optimizer': 'adam', 'options': ADAM,
        'parameters': [
            {'name': name, 'shape': shape, 'seed': seed, 'sampled': STRIDE if math.prod(shape) > WHOLE else None}
            for name, shape, seed in PARAMETERS
        ],
    }
    write('lenet', 'Ten training steps of LeNet in float64 by the Adam of Keras', [case], tensors)
