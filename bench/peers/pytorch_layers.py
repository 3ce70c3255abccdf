"""One layer in PyTorch, by the rows of bench/layers.ts. Channels are the second axis, in memory the last one or the second."""
import numpy as np
import torch
import torch.nn.functional as F

COMPARED = 4096  # bench/protocol.ts


def tensor(shape, number):
    """`valueAt` of bench/protocol.ts."""
    values = (np.arange(int(np.prod(shape)), dtype=np.int64) + number) * 7919 % 1024 / 512 - 1
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def per_axis(value, rank):
    return list(value) if isinstance(value, list) else [value] * rank


def kernel(weight):
    """[..., in, out] as [out, in, ...]."""
    return weight.permute(-1, -2, *range(weight.dim() - 2)).contiguous()


def same_borders(size, rank, strides, dilation):
    """Even on both sides, as they are in all rows but that of 3 by 2, which `max_pooling` is about."""
    spans = [(k - 1) * d + 1 for k, d in zip(per_axis(size, rank), per_axis(dilation, rank))]
    return [(span - step) // 2 if span > step else 0 for span, step in zip(spans, per_axis(strides, rank))]


def convolution(x, weight, bias, options, rank, groups):
    size, strides, dilation = options['kernelSize'], options['strides'], options['dilationRate']
    border = 0
    if options['padding'] == 'causal':
        x = F.pad(x, [(size - 1) * dilation, 0])
    if options['padding'] == 'same':
        border = same_borders(size, rank, 1, dilation)
    return getattr(F, f'conv{rank}d')(x, weight, bias, strides, border, dilation, groups)


def conv(rank):
    return lambda inputs, weights, options: convolution(
        *inputs, weights['kernel'], weights['bias'], options, rank, options['groups'])


def depthwise(rank):
    def layer(inputs, weights, options):
        groups = inputs[0].shape[1]
        weight = weights['kernel'].transpose(0, 1).flatten(0, 1).unsqueeze(1)  # [channels * multiplier, 1, ...]
        return convolution(*inputs, weight, weights['bias'], options, rank, groups)
    return layer


def separable(rank):
    def layer(inputs, weights, options):
        depthwise = weights['depthwiseKernel'].transpose(0, 1)  # [channels, 1, ...]
        middle = convolution(*inputs, depthwise, None, options, rank, len(depthwise))
        return getattr(F, f'conv{rank}d')(middle, weights['pointwiseKernel'], weights['bias'])
    return layer


def transposed(rank):
    """Its kernel is [..., out, in] in Fovea, [in, out, ...] in PyTorch."""
    def layer(inputs, weights, options):
        border = same_borders(options['kernelSize'], rank, options['strides'], 1)
        return getattr(F, f'conv_transpose{rank}d')(*inputs, weights['kernel'], weights['bias'], options['strides'], border)
    return layer


def up_sampling(rank):
    def layer(inputs, _, options):
        mode, size = options.get('interpolation', 'nearest'), per_axis(options['size'], rank)
        return F.interpolate(*inputs, scale_factor=[float(n) for n in size], mode=mode)
    return layer


def max_pooling(rank):
    """With a border of TensorFlow's: only behind, where it is uneven, which PyTorch does by rounding up."""
    return lambda inputs, _, options: getattr(F, f'max_pool{rank}d')(
        *inputs, options['poolSize'], options.get('strides') or options['poolSize'], ceil_mode=options['padding'] == 'same')


def average_pooling(inputs, _, options):
    size, strides = options['poolSize'], options.get('strides') or options['poolSize']
    border = same_borders(size, 2, strides, 1) if options['padding'] == 'same' else 0
    return F.avg_pool2d(*inputs, size, strides, border, count_include_pad=options['countPadding'])


def batch_norm(inputs, weights, options):
    means = weights['movingMean'], weights['movingVariance']
    return F.batch_norm(*inputs, *means, weights['gamma'], weights['beta'], True, 1 - options['momentum'], options['epsilon'])


def group_norm(inputs, weights, options):
    groups = options['groups'] if options['groups'] > 0 else inputs[0].shape[1]
    return F.group_norm(*inputs, groups, weights['gamma'], weights['beta'], options['epsilon'])


def layer_norm(inputs, weights, options):
    rows = inputs[0].permute(0, 2, 3, 1)
    return F.layer_norm(rows, rows.shape[-1:], weights['gamma'], weights['beta'], options['epsilon']).permute(0, 3, 1, 2)


def permuted(inputs, _, options):
    return inputs[0].movedim(1, -1).permute(0, *options['dims']).contiguous().movedim(-1, 1)


def repeated(inputs, _, options):
    rows, n = inputs[0].unsqueeze(1), options['n']
    return rows.expand(-1, n, -1).contiguous().movedim(-1, 1)


def time_distributed(inputs, weights, _):
    return F.linear(inputs[0].movedim(1, -1), weights['kernel'], weights['bias']).movedim(-1, 1)


LAYERS = {
    **{f'conv{rank}d': conv(rank) for rank in (1, 2, 3)},
    **{f'depthwiseConv{rank}d': depthwise(rank) for rank in (1, 2)},
    **{f'separableConv{rank}d': separable(rank) for rank in (1, 2)},
    **{f'conv{rank}dTranspose': transposed(rank) for rank in (1, 2, 3)},
    **{f'upSampling{rank}d': up_sampling(rank) for rank in (1, 2, 3)},
    **{f'maxPooling{rank}d': max_pooling(rank) for rank in (1, 2, 3)},
    'averagePooling2d': average_pooling,
    'resizing': lambda inputs, _, options: F.interpolate(
        *inputs, size=(options['height'], options['width']), mode=options['interpolation'], antialias=options['antialias']),
    'cropping2d': lambda inputs, _, options: inputs[0][
        :, :, options['cropping']:-options['cropping'], options['cropping']:-options['cropping']].clone(),
    'zeroPadding2d': lambda inputs, _, options: F.pad(*inputs, [options['padding']] * 4),
    'adaptiveAveragePooling2d': lambda inputs, _, options: F.adaptive_avg_pool2d(*inputs, options['outputSize']),
    'adaptiveMaxPooling2d': lambda inputs, _, options: F.adaptive_max_pool2d(*inputs, options['outputSize']),
    'globalAveragePooling2d': lambda inputs, *_: F.adaptive_avg_pool2d(*inputs, 1).flatten(1),
    'globalMaxPooling2d': lambda inputs, *_: F.adaptive_max_pool2d(*inputs, 1).flatten(1),
    'multiply': lambda inputs, *_: inputs[0] * inputs[1],
    'concatenate': lambda inputs, *_: torch.cat(inputs, 1),
    'permute': permuted,
    'repeatVector': repeated,
    'masking': lambda inputs, _, options: inputs[0] * (inputs[0] != options['maskValue']).any(1, keepdim=True),
    'timeDistributed': time_distributed,
    'prelu': lambda inputs, weights, _: F.prelu(*inputs, weights['alpha'].flatten()),
    'elu': lambda inputs, _, options: F.elu(*inputs, options['alpha']),
    'softmax': lambda inputs, _, options: F.softmax(*inputs, 1 if options['axis'] == -1 else 1 + options['axis']),
    'dropout': lambda inputs, _, options: F.dropout(*inputs, options['rate']),
    'spatialDropout2d': lambda inputs, _, options: F.dropout2d(*inputs, options['rate']),
    'alphaDropout': lambda inputs, _, options: F.alpha_dropout(*inputs, options['rate'], True),
    'gaussianNoise': lambda inputs, _, options: inputs[0] + options['stddev'] * torch.randn_like(*inputs),
    'rescaling': lambda inputs, _, options: inputs[0] * options['scale'] + options['offset'],
    'batchNormalization': batch_norm,
    'groupNormalization': group_norm,
    'layerNormalization': layer_norm,
    'unitNormalization': lambda inputs, *_: F.normalize(*inputs, dim=1),
    'localResponseNormalization': lambda inputs, _, options: F.local_response_norm(
        *inputs, options['size'], options['alpha'], options['beta'], options['k']),
}


def values_of(row, layout):
    """Inputs and weights; a transposed view of what has its channels last is what PyTorch calls channels_last."""
    inputs = [tensor(shape, number).movedim(-1, 1) for number, shape in enumerate(row['shapes'])]
    if layout == 'channels_first':
        inputs = [x.contiguous() for x in inputs]
    weights = {}
    for number, (name, weight) in enumerate(row['weights'].items(), len(inputs)):
        value = tensor(weight['shape'], number)
        weights[name] = kernel(value) if 'kernel' in name.lower() else value
        if layout == 'channels_last' and value.dim() == 4:
            weights[name] = weights[name].contiguous(memory_format=torch.channels_last)
    return inputs, weights


def layer_ways(task):
    row, layer = task['row'], LAYERS[task['row']['type']]

    def way(layout):
        inputs, weights = values_of(row, layout)
        if task['mode'] == 'infer':
            def run():
                with torch.no_grad():
                    return layer(inputs, weights, row['options'])
            return run
        wanted = [*inputs, *(weights[name] for name, weight in row['weights'].items() if weight['trained'])]
        for value in wanted:
            value.requires_grad_()
        flow = torch.rand_like(layer(inputs, weights, row['options']))
        return lambda: torch.autograd.grad(layer(inputs, weights, row['options']), wanted, flow)
    return {layout: lambda layout=layout: way(layout) for layout in ('channels_last', 'channels_first')}


def layer_answer(task):
    """The first numbers of the result, channels last."""
    row = task['row']
    result = LAYERS[row['type']](*values_of(row, 'channels_last'), row['options'])
    return (result.movedim(1, -1) if result.dim() > 2 else result).flatten()[:COMPARED]
