"""The digit classifier: five convolutions, 64 features, ten classes."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

SIDE = 28
FEATURES = 64
CLASSES = tuple("0123456789")


class DigitNet(nn.Module):
    """Grey digits [N, 1, 28, 28] in -1 … 1 → 64 features → 10 logits; 107,258 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_layer(1, 16),  # [N, 16, 28, 28]
            nn.MaxPool2d(2),
            *_layer(16, 32),  # [N, 32, 14, 14]
            *_layer(32, 32),
            nn.MaxPool2d(2),
            *_layer(32, 64),  # [N, 64, 7, 7]
            *_layer(64, 64),
            nn.MaxPool2d(2),  # [N, 64, 3, 3]
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Linear(64 * 9, FEATURES),
            nn.ReLU(),
        )
        self.head = nn.Linear(FEATURES, len(CLASSES))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features [N, 64] and logits [N, 10]."""
        features = self.body(images)
        return features, cast(Tensor, self.head(features))


def _layer(inside: int, outside: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(outside), nn.ReLU()
