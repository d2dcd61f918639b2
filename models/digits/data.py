"""Digits data: reads the IDX pair, splits it by index, and draws augmented images.

Owns the split (train 0..6399, choose 6400..7199, report 7200..7999) so that no script can mix it up.
Leaves out everything about networks.
"""

import gzip
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

TRAIN, CHOOSE, REPORT = slice(0, 6400), slice(6400, 7200), slice(7200, 8000)
LABELS = [str(digit) for digit in range(10)]


def read_idx(path: Path) -> np.ndarray:
    raw = gzip.decompress(path.read_bytes())
    dims = raw[3]
    shape = tuple(int.from_bytes(raw[4 + 4 * d : 8 + 4 * d], "big") for d in range(dims))
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dims).reshape(shape)


def write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes(), 9, mtime=0))


def load(data: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """All 8000 images as float [N,1,28,28] in 0..1, and their labels."""
    folder = data / "mnist-8k"
    images = torch.from_numpy(read_idx(folder / "images-idx3-ubyte.gz").copy()).float().div_(255).unsqueeze(1)
    labels = torch.from_numpy(read_idx(folder / "labels-idx1-ubyte.gz").astype(np.int64))
    return images, labels


def augment(images: torch.Tensor, generator: torch.Generator, strength: float = 1.0) -> torch.Tensor:
    """Random rotation, scale, shear and shift of each image, then a smooth elastic displacement."""
    n = images.shape[0]

    def uniform(half_width: float) -> torch.Tensor:
        return (torch.rand(n, generator=generator) * 2 - 1) * half_width * strength

    angle, shear = uniform(0.26), uniform(0.15)
    scale_x, scale_y = 1 + uniform(0.14), 1 + uniform(0.14)
    cos, sin = torch.cos(angle), torch.sin(angle)
    # In grid units, where the image spans -1..1: one pixel is 1/14.
    affine = torch.stack(
        [
            torch.stack([cos * scale_x, (sin + shear) * scale_y, uniform(2 / 14)], 1),
            torch.stack([-sin * scale_x, cos * scale_y, uniform(2 / 14)], 1),
        ],
        1,
    )
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    knots = torch.randn(n, 2, 6, 6, generator=generator) * (0.8 / 14) * strength
    field = F.interpolate(knots, size=(28, 28), mode="bicubic", align_corners=True)
    grid = grid + field.permute(0, 2, 3, 1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
