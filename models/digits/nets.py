"""Digits networks: the micro CNN of the edge, the base CNN of Lambda, the ensemble of SageMaker.

Owns shapes only; training is in train.py and files are in export.py. Input is [B,1,28,28] in 0..1, output logits [B,10].
"""

import torch
from torch import nn

# Mean and deviation of the training pixels, folded into the first layer when exported.
MEAN, DEVIATION = 0.1307, 0.3081


class Normalise(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - MEAN) / DEVIATION


def block(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int | None = None) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 if padding is None else padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


def micro() -> nn.Sequential:
    """About 0.95M multiply-adds, 46K weights; no normalisation layer: batch norm absorbs it (borders are zero ink)."""
    return nn.Sequential(
        *block(1, 16, 5, stride=2),
        *block(16, 40, 3, stride=2),
        *block(40, 64, 3, padding=0),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(64 * 25, 10),
    )


def base() -> nn.Sequential:
    return nn.Sequential(
        Normalise(),
        *block(1, 24, 5),
        nn.MaxPool2d(2),
        *block(24, 48, 3),
        *block(48, 48, 3),
        nn.MaxPool2d(2),
        *block(48, 96, 3),
        *block(96, 96, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(96, 10),
    )


def member(kernel: int) -> nn.Sequential:
    """One voice of the ensemble; different kernels make different mistakes."""
    pool = nn.MaxPool2d(2)
    body = {
        3: [*block(1, 32, 3), *block(32, 32, 3), pool, *block(32, 64, 3), *block(64, 64, 3), pool,
            *block(64, 96, 3), *block(96, 96, 3), *block(96, 96, 3)],
        5: [*block(1, 32, 5), pool, *block(32, 48, 5), *block(48, 64, 5), pool, *block(64, 64, 5), *block(64, 96, 3)],
        7: [*block(1, 32, 7), pool, *block(32, 48, 7), pool, *block(48, 96, 5), *block(96, 96, 3)],
    }[kernel]
    return nn.Sequential(
        Normalise(), *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(96, 10)
    )


class Ensemble(nn.Module):
    """Logits are the mean of the members' log-probabilities: a product of experts."""

    def __init__(self, members: list[nn.Module]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = torch.log_softmax(self.members[0](x), 1)
        for one in self.members[1:]:
            total = total + torch.log_softmax(one(x), 1)
        return total / len(self.members)
