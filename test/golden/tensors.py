"""
What all golden files share: numbers that any language can repeat, the layouts of Keras and of PyTorch, the file format.

Random numbers come from one generator in 32-bit integers ("ranqd1" of Numerical Recipes):

    state = (1664525 * state + 1013904223) mod 2^32        u = state / 2^32, in [0, 1), exact in float64

`state` starts at the seed, and the first u comes from the first new state.
"""
import json
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

FOLDER = Path(__file__).resolve().parent


def write(topic, about, cases, tensors):
    """One safetensors file: float64 arrays first, then 32 bits, so that all lie aligned; `cases` as JSON in the metadata."""
    names = {'float64': 'F64', 'float32': 'F32', 'int32': 'I32'}
    header = {'__metadata__': {'about': about, 'cases': json.dumps(cases)}}
    data = b''
    for name, array in sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[1].dtype.kind, item[0])):
        array = np.asarray(array, order='C')
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {'dtype': names[array.dtype.name], 'shape': list(array.shape), 'data_offsets': offsets}
        data += array.tobytes()
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    size = (FOLDER / f'{topic}.safetensors').write_bytes(struct.pack('<Q', len(text)) + text + data)
    print(f'{topic}.safetensors: {len(cases)} cases, {len(tensors)} tensors, {size} bytes')


def single(values):
    """float32 for the file: only what float32 holds exactly, so that every engine starts from the same numbers."""
    values = np.asarray(values, np.float64)
    assert np.array_equal(values.astype(np.float32).astype(np.float64), values)
    return values.astype(np.float32)


def double(values):
    return np.array(values.detach() if isinstance(values, torch.Tensor) else values, np.float64)


def leaf(values):
    """A float64 tensor that will want a gradient."""
    return torch.tensor(np.asarray(values, np.float64), requires_grad=True)


def uniforms(seed):
    state = seed
    while True:
        state = (1664525 * state + 1013904223) % 2**32
        yield state / 2**32


def random(name, shape):
    """
    Multiples of 1/4096 in [-1, 1), seeded by the name: products and sums of them are exact in float64, so a convolution's
    golden values hold to the last bit in any order of sums; and 13 bits are too many for bfloat16 or TF32 to pass unseen.
    """
    draw = uniforms(zlib.crc32(name.encode()))
    return np.array([math.floor(next(draw) * 8192) / 4096 - 1 for _ in range(math.prod(shape))]).reshape(shape)


def check(name, got, wanted, tolerance=0.0):
    """The printed goldens of Keras (expectations.md, B2), asserted in passing."""
    assert np.allclose(double(got).ravel(), wanted, rtol=0, atol=tolerance), (name, got, wanted)


def channels_first(x):
    return x.movedim(-1, 1)


def channels_last(x):
    return x.movedim(1, -1)


def kernel_for_torch(kernel):
    """[...window, channels / groups, filters] to [filters, channels / groups, ...window]."""
    return kernel.permute(-1, -2, *range(kernel.dim() - 2)).contiguous()


def borders(sizes, window, strides, dilation, padding):
    """[before, after] of every spatial axis; 'same' is TensorFlow's rule, output = ceil(n / stride), smaller half first."""
    if padding == 'valid':
        return [[0, 0] for _ in sizes]
    if padding != 'same':
        return padding
    result = []
    for n, k, stride, d in zip(sizes, window, strides, dilation):
        total = max((math.ceil(n / stride) - 1) * stride + (k - 1) * d + 1 - n, 0)
        result.append([total // 2, total - total // 2])
    return result


def pad(x, border, value):
    """x is channels first; F.pad wants the last axis first."""
    return F.pad(x, [n for axis in reversed(border) for n in axis], value=value)
