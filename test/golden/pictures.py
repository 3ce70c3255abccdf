"""Odd pictures as Pillow reads them, for test/platform/odd-pictures.test.ts: /usr/bin/python3 test/golden/pictures.py <datasets>.

Writes small pictures to test/golden/pictures/ (made here: the project's licence), and test/golden/pictures.json: by file, its shown width and height and the means of 4 x 4 parts in red, green and
blue, after EXIF orientation, over white, profiles of other than CMYK pictures applied. The pictures are not committed;
where they come from stands in that folder's README.
"""
import io
import json
import os
import struct
import sys
import warnings
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageOps

warnings.simplefilter('ignore')
SRGB = ImageCms.createProfile('sRGB')


def by_profile(image, profile):
    """In sRGB, or as it is where the profile is broken or for another kind of picture: browsers do the same."""
    base = image if image.mode in ('RGB', 'L', 'RGBA') else image.convert('RGB')
    alpha = base.getchannel('A') if base.mode == 'RGBA' else None
    if alpha:
        base = base.convert('RGB')
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        base = ImageCms.profileToProfile(base, source, SRGB, outputMode='RGB')
    except (ImageCms.PyCMSError, OSError):
        return image
    if alpha:
        base.putalpha(alpha)
    return base


def upright(path):
    image = Image.open(path)
    if image.format not in ('PNG', 'JPEG', 'WEBP', 'GIF'):
        raise ValueError(image.format)
    image.load()
    profile = image.info.get('icc_profile')
    transparent = 'transparency' in image.info or image.mode in ('LA', 'PA', 'RGBA', 'P')
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith('I'):
        image = Image.fromarray(((np.asarray(image).astype(np.int64) * 255 + 32767) // 65535).astype(np.uint8))
        transparent = False  # Pillow does not find a transparent gray of 16 bits
    if profile and image.mode != 'CMYK':
        image = by_profile(image, profile)
    if transparent:
        rgba = image.convert('RGBA')
        image = Image.alpha_composite(Image.new('RGBA', rgba.size, (255, 255, 255, 255)), rgba)
    return image.convert('RGB')


def means(image):
    pixels = np.asarray(image).astype(np.float64)
    rows = np.array_split(pixels, 4) if pixels.shape[0] >= 4 else [pixels] * 4
    parts = [part for row in rows for part in (np.array_split(row, 4, axis=1) if row.shape[1] >= 4 else [row] * 4)]
    return [round(float(v)) for part in parts for v in part.mean(axis=(0, 1))]


HERE = os.path.dirname(os.path.abspath(__file__))


def profile(space, gamma, primaries):
    """A small ICC profile (version 2): a curve, and for red, green and blue where they lie in XYZ under D50."""
    fixed = lambda *values: struct.pack(f'>{len(values)}i', *[round(v * 65536) for v in values])
    text = b'none\0'
    curve = b'curv' + bytes(4) + struct.pack('>IH', 1, round(gamma * 256)) + bytes(2)
    tags = [
        (b'desc', b'desc' + bytes(4) + struct.pack('>I', len(text)) + text + bytes(78)),
        (b'cprt', b'text' + bytes(4) + text),
        (b'wtpt', b'XYZ ' + bytes(4) + fixed(0.9642, 1, 0.8249)),
        *[(name, b'XYZ ' + bytes(4) + fixed(*xyz)) for name, xyz in zip((b'rXYZ', b'gXYZ', b'bXYZ'), primaries)],
        *[(name, curve) for name in ([b'rTRC', b'gTRC', b'bTRC'] if primaries else [b'kTRC'])],
    ]
    table, body = b'', b''
    start = 132 + 12 * len(tags)
    for name, data in tags:
        table += name + struct.pack('>II', start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack('>I4sI4s4s4s6H', start + len(body), bytes(4), 0x02100000, b'mntr', space, b'XYZ ', 2026, 1, 1, 0, 0, 0)
    head += b'acsp' + bytes(28) + fixed(0.9642, 1, 0.8249)
    return head.ljust(128, b'\0') + struct.pack('>I', len(tags)) + table + body


def png(pixels, icc=None, extra=()):
    """A PNG of 8 or 16 bits from [height, width, channels], as Pillow does not write them."""
    height, width, channels = pixels.shape
    bits = pixels.dtype.itemsize * 8
    rows = b''.join(b'\0' + row.astype(pixels.dtype.newbyteorder('>')).tobytes() for row in pixels)
    chunks = [(b'IHDR', struct.pack('>IIBBBBB', width, height, bits, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)), *extra]
    chunks += [(b'iCCP', b'none\0\0' + zlib.compress(icc))] if icc else []
    chunks += [(b'IDAT', zlib.compress(rows)), (b'IEND', b'')]
    pack = lambda kind, data: struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    return b'\x89PNG\r\n\x1a\n' + b''.join(pack(*chunk) for chunk in chunks)


def made(folder):
    """Writes the pictures; gives by name how Pillow sees each, from 8 bits a sample."""
    os.makedirs(folder, exist_ok=True)
    y, x = np.mgrid[0:32, 0:32]
    colours = np.stack([x * 8, y * 8, 255 - x * 8], axis=2).astype(np.uint8)
    gray = (y * 8)[:, :, None].astype(np.uint8)
    wide = profile(b'RGB ', 2.2, [(0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841)])
    linear = profile(b'GRAY', 1, [])
    seen = {}

    def keep(name, data, image, icc=None):
        with open(os.path.join(folder, name), 'wb') as file:
            file.write(data)
        seen[name] = (by_profile(image, icc) if icc else image).convert('RGB')

    def keep_jpeg(name, image, icc=None):
        to = io.BytesIO()
        image.save(to, 'JPEG', quality=100, subsampling=0, **({'icc_profile': icc} if icc else {}))
        read = Image.open(io.BytesIO(to.getvalue()))
        keep(name, to.getvalue(), read, icc if image.mode != 'CMYK' else None)

    rgb, level = Image.fromarray(colours), Image.fromarray(gray[:, :, 0])
    keep('plain.png', png(colours), rgb)
    keep('gamma.png', png(colours, extra=[(b'gAMA', struct.pack('>I', 100000))]), rgb)
    keep('wide.png', png(colours, wide), rgb, wide)
    keep('wide-16.png', png(colours.astype(np.uint16) * 257, wide), rgb, wide)
    keep('linear.png', png(gray, linear), level, linear)
    keep('linear-16.png', png(gray.astype(np.uint16) * 257, linear), level, linear)
    keep_jpeg('wide.jpg', rgb, wide)
    keep_jpeg('linear.jpg', level, linear)
    keep_jpeg('cmyk.jpg', Image.merge('CMYK', [*rgb.split(), level]))
    keep_jpeg('cmyk-profile.jpg', Image.merge('CMYK', [*rgb.split(), level]), wide)
    return seen


def main(root):
    small = made(os.path.join(HERE, 'pictures'))
    found = {f'made/{name}': [image.width, image.height, *means(image)] for name, image in small.items()}
    for folder in ('files/odd', 'files/orientation'):
        for at, _, names in sorted(os.walk(os.path.join(root, folder))):
            for name in sorted(names):
                path = os.path.join(at, name)
                # Pillow 9.4 reads transparency of 16 bits, and profiles of pictures with text chunks, otherwise or not at all
                if not name.lower().endswith(('.png', '.jpg', '.jpeg')) or name.startswith('tb') and '16' in name:
                    continue
                try:
                    image = upright(path)
                except Exception:  # of other formats, or not for Pillow
                    continue
                found[os.path.relpath(path, root)] = [image.width, image.height, *means(image)]
    lines = ',\n'.join(f'  {json.dumps(name)}: {json.dumps(row, separators=(",", ":"))}' for name, row in sorted(found.items()))
    with open(os.path.join(HERE, 'pictures.json'), 'w') as file:
        file.write('{\n' + lines + '\n}\n')
    print(len(found), 'pictures')


main(sys.argv[1])
