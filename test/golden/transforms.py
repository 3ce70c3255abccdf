"""Pictures [height, width, channels] padded and mirrored by torchvision, where it has the mode, and by NumPy's pad."""
import numpy as np
import torch
from torchvision.transforms import functional

from tensors import channels_first, channels_last, uniforms, write

# Keras's word for a mode: torchvision's, NumPy's
MODES = {
    'constant': ('constant', 'constant'),
    'nearest': ('edge', 'edge'),
    'reflect': ('symmetric', 'symmetric'),
    'wrap': (None, 'wrap'),
}


def transforms():
    draw = uniforms(20261130)
    picture = np.array([int(256 * next(draw)) for _ in range(4 * 5 * 3)], np.int32).reshape(4, 5, 3)
    cases, tensors = [], {'picture': picture}
    for mode, (theirs, numpys) in MODES.items():
        for padding in (1, 3, 9):
            name = f'{mode} {padding}'
            fill = {'constant_values': 7} if mode == 'constant' else {}
            padded = np.pad(picture, ((padding, padding), (padding, padding), (0, 0)), numpys, **fill)
            if theirs and padding < 4:
                tensor = channels_first(torch.from_numpy(picture)[None])
                same = channels_last(functional.pad(tensor, [padding], 7, theirs))[0].numpy()
                assert np.array_equal(padded, same), name
            cases.append({'name': name, 'mode': mode, 'padding': padding})
            tensors[f'{name}/padded'] = padded.astype(np.int32)
    tensor = channels_first(torch.from_numpy(picture)[None])
    flips = {'horizontal': functional.hflip, 'vertical': functional.vflip}
    for mode, flip in flips.items():
        tensors[f'{mode}/flipped'] = channels_last(flip(tensor))[0].numpy()
    tensors['both/flipped'] = channels_last(functional.vflip(functional.hflip(tensor)))[0].numpy()
    write('transforms', 'pictures padded and mirrored: torchvision 0.14, NumPy', cases, tensors)
