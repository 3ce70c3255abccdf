"""
Pictures moved by ImageDataGenerator's affine (keras-preprocessing with SciPy) and by torchvision's perspective; parts resized.

SciPy's words for what our modes mean are reflect, nearest, grid-constant and grid-wrap. The centre is (size - 1) / 2, as in
Keras since 2.10; keras-preprocessing has size / 2 + 1/2, a pixel off.
"""
import numpy as np
import torch
from keras_preprocessing.image import affine_transformations as keras
from torchvision.transforms import functional
from torchvision.transforms.functional import InterpolationMode

from tensors import uniforms, write

keras.transform_matrix_offset_center.__code__ = (
    lambda matrix, x, y: np.dot(
        np.dot(np.array([[1, 0, x / 2 - 0.5], [0, 1, y / 2 - 0.5], [0, 0, 1]]), matrix),
        np.array([[1, 0, 0.5 - x / 2], [0, 1, 0.5 - y / 2], [0, 0, 1]]),
    )
).__code__
SCIPY = {'constant': 'grid-constant', 'nearest': 'nearest', 'reflect': 'reflect', 'wrap': 'grid-wrap'}
ROWS = {'rotation': 'randomRotation', 'shift': 'randomShift', 'zoom': 'randomZoom', 'shear': 'randomShear'}
CHAINS = {
    'rotation': {'theta': 25},
    'shift': {'tx': 1.3, 'ty': -2.6},
    'zoom': {'zx': 0.7, 'zy': 1.35},
    'shear': {'shear': 18},
    'all': {'theta': -33, 'tx': 2.2, 'ty': 3.7, 'shear': -11, 'zx': 1.2, 'zy': 0.85},
    'far': {'theta': 70, 'tx': 31, 'ty': -47, 'zx': 4, 'zy': 5},
}


def geometry():
    draw = uniforms(20261201)
    height, width, channels = 9, 12, 3
    picture = np.array([int(256 * next(draw)) for _ in range(height * width * channels)], np.int32)
    picture = picture.reshape(height, width, channels)
    cases, tensors = [], {'picture': picture}
    for chain, parameters in CHAINS.items():
        for mode, scipys in SCIPY.items():
            for order, interpolation in ((1, 'bilinear'), (0, 'nearest')):
                name = f'{chain} {mode} {interpolation}'
                moved = keras.apply_affine_transform(
                    picture.astype(np.float64), **parameters, fill_mode=scipys, cval=7, order=order
                )
                case = {'name': name, 'parameters': parameters, 'fillMode': mode, 'interpolation': interpolation}
                cases.append({**case, **({'transform': ROWS[chain]} if chain in ROWS else {})})
                tensors[f'{name}/moved'] = moved
    right, bottom = width - 1, height - 1
    corners = [[1, 0], [right - 2, 1], [right, bottom - 3], [3, bottom]]
    tensor = torch.from_numpy(picture).double().permute(2, 0, 1)[None]
    own = [[0, 0], [right, 0], [right, bottom], [0, bottom]]
    for interpolation in ('bilinear', 'nearest'):
        name = f'perspective constant {interpolation}'
        moved = functional.perspective(tensor, own, corners, InterpolationMode(interpolation))  # fill=0 would weigh the border twice
        case = {'name': name, 'corners': corners, 'fillMode': 'constant', 'interpolation': interpolation}
        cases.append({**case, 'transform': 'randomPerspective'})
        tensors[f'{name}/moved'] = moved[0].permute(1, 2, 0).numpy()
    for top, left, rows, columns, size in ((0, 0, 9, 12, [5, 4]), (2, 3, 4, 7, [11, 6]), (1, 5, 8, 2, [3, 5])):
        name = f'part {top} {left} {rows} {columns}'
        part = functional.resized_crop(tensor, top, left, rows, columns, size, antialias=True)
        cases.append({'name': name, 'part': [top, left, rows, columns], 'transform': 'randomResizedCrop'})
        tensors[f'{name}/moved'] = part[0].permute(1, 2, 0).numpy()
    about = 'pictures moved: keras-preprocessing with SciPy 1.10, torchvision 0.14'
    write('geometry', about, cases, tensors)
