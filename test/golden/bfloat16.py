"""bfloat16.safetensors: float32 rounded to bfloat16, and convolutions, products and a small net of rounded numbers."""
import math
import zlib

import numpy as np
import torch

from convolution import convolve
from tensors import double, leaf, single, uniforms, write

# Where rounding turns: ties of even and odd neighbours and what lies beside them, subnormals, the largest, no numbers.
BITS = [
    0x00000000, 0x80000000, 0x3F800000, 0x3F808000, 0x3F818000, 0x3F808001, 0x3F807FFF, 0x3F817FFF, 0xBF808000, 0xBF818000,
    0x3FFF8000, 0x3FFF7FFF, 0x00000001, 0x00007FFF, 0x00008000, 0x00008001, 0x00018000, 0x007F8000, 0x007FFFFF, 0x00800000,
    0x80008001, 0x7F7F0000, 0x7F7F7FFF, 0x7F7F8000, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001,
    0x7F80FFFF, 0xFFFFFFFF,
]

CONVOLUTIONS = [
    ('convolution', [2, 6, 5, 3], [3, 3, 3, 4], {'padding': 'same'}),
    ('convolution of one channel', [2, 9, 8, 1], [5, 5, 1, 6], {}),
    ('convolution with strides', [1, 8, 7, 4], [3, 3, 4, 5], {'strides': [2, 3], 'padding': 'same'}),
    ('convolution in groups', [2, 5, 5, 4], [3, 3, 2, 6], {'groups': 2, 'padding': [[1, 0], [0, 2]]}),
    ('pointwise convolution', [2, 4, 4, 7], [1, 1, 7, 9], {}),
]
MATMULS = [('matmul', [3, 20], [20, 7]), ('matmul of one row', [1, 33], [33, 5])]


def low(x):
    """Rounded to bfloat16 by PyTorch."""
    return x.to(torch.float32).to(torch.bfloat16).to(x.dtype)


def random(name, shape):
    """
    Multiples of 1/512 in [-1, 1): half of them are ties of bfloat16, and sums of so few products of the rounded ones are
    exact in float32, so that what is computed in bfloat16 does not depend on the order of sums.
    """
    draw = uniforms(zlib.crc32(name.encode()))
    return np.array([math.floor(next(draw) * 1024) / 512 - 1 for _ in range(math.prod(shape))]).reshape(shape)


def product_case(name, kind, a, b, attrs, compute):
    """compute(a, b) of rounded numbers, rounded or not; and the gradients for a rounded dy."""
    rounded = [leaf(low(leaf(x)).detach()) for x in (a, b)]
    y = compute(*rounded)
    dy = random(f'{name}/dy', y.shape)
    y.backward(low(torch.tensor(dy)))
    da, db = (x.grad for x in rounded)
    for result in (y, da, db):  # exact in float32 in any order
        assert np.array_equal(np.round(double(result) * 2.0**18), double(result) * 2.0**18) and result.abs().max() < 2**6
    if kind == 'convolution':  # PyTorch's own kernel says the same; its product without oneDNN adds up in bfloat16
        own = [x.detach().to(torch.bfloat16) for x in rounded]
        assert torch.equal(compute(*own).double(), low(y)), name
    tensors = {'a': single(a), 'b': single(b), 'dy': single(dy), 'y': double(y), 'low y': double(low(y)),
               'da': double(da), 'low da': double(low(da)), 'db': double(db)}
    return {'name': name, 'kind': kind, 'attrs': attrs}, {f'{name}/{key}': value for key, value in tensors.items()}


def net_case():
    """Two convolutions with a bias and relu between them: what lies between is rounded once, forward and back."""
    name, attrs = 'net', {'strides': [1, 1], 'dilation': [1, 1], 'padding': 'same', 'groups': 1}
    x, first, bias, second = (random(f'net/{key}', shape) for key, shape in [
        ('x', [2, 6, 6, 2]), ('first', [3, 3, 2, 5]), ('bias', [5]), ('second', [3, 3, 5, 3])])
    k1, b, k2 = leaf(low(leaf(first)).detach()), leaf(bias), leaf(low(leaf(second)).detach())
    before = convolve(low(torch.tensor(x)), k1, attrs) + b
    hidden = leaf(low(torch.relu(before)).detach())
    y = convolve(hidden, k2, attrs)
    dy = random('net/dy', y.shape)
    y.backward(low(torch.tensor(dy)))
    back = low(hidden.grad * (hidden.detach() > 0))
    (before * back).sum().backward()
    tensors = {'x': single(x), 'first': single(first), 'bias': single(bias), 'second': single(second), 'dy': single(dy),
               'y': double(y), 'dfirst': double(k1.grad), 'dbias': double(b.grad), 'dsecond': double(k2.grad)}
    return {'name': name, 'kind': 'net', 'attrs': attrs}, {f'{name}/{key}': value for key, value in tensors.items()}


def bfloat16():
    draw = uniforms(zlib.crc32(b'bfloat16'))
    bits = BITS + [math.floor(next(draw) * 2**32) for _ in range(300)]
    x = np.array(bits, np.uint32).view(np.float32)
    rounded = torch.from_numpy(x).to(torch.bfloat16).to(torch.float32).numpy()
    rounded = np.where(np.isnan(rounded), np.float32(math.nan), rounded)  # which NaN depends on the machine
    results = [({'name': 'numbers', 'kind': 'rounding', 'attrs': {}}, {'numbers/x': x, 'numbers/y': rounded})]
    for name, shape, kernel, given in CONVOLUTIONS:
        attrs = {'strides': [1, 1], 'dilation': [1, 1], 'padding': 'valid', 'groups': 1, **given}
        a, b = random(f'{name}/a', shape), random(f'{name}/b', kernel)
        results.append(product_case(name, 'convolution', a, b, attrs, lambda x, k, attrs=attrs: convolve(x, k, attrs)))
    for name, left, right in MATMULS:
        a, b = random(f'{name}/a', left), random(f'{name}/b', right)
        results.append(product_case(name, 'matmul', a, b, {}, torch.matmul))
    results.append(net_case())
    tensors = {key: value for _, more in results for key, value in more.items()}
    write('bfloat16', 'Rounding to bfloat16, and products of rounded numbers', [c for c, _ in results], tensors)
