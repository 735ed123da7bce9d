"""Small networks of known names, for reference models and for targets trained here.

Each takes the shape of one input, the number of classes and its options, and returns a freshly
initialised network, drawn from torch's generator. None has BatchNorm: its running statistics
would be a second thing that tells members apart, and such layers cannot be trained stacked.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import prod
from types import MappingProxyType

from torch import Tensor, nn
from torch.nn.functional import relu

from nonmember.errors import ModelError
from nonmember.types import Count

Shape = tuple[int, ...]


def mlp(shape: Shape, classes: int, *, width: Count = 128, depth: Count = 2) -> nn.Module:
    """Linear layers with ReLU between, of any inputs: by default d-128-128-c.

    Weights N(0, 2 / inputs of the layer) and zero biases (He et al. 2015, arXiv:1502.01852).
    """
    sizes = [prod(shape), *[width] * depth]
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(sizes):
        layers += [_linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, _linear(sizes[-1], classes))


def cnn(shape: Shape, classes: int, *, width: Count = 16) -> nn.Module:
    """Two 3x3 convolutions with pooling, then a linear layer, of images (channels, height, width).

    ``width`` and twice as many channels; as initialised as ``mlp``.

    Raises:
        ModelError: the inputs are no images of at least 4 x 4.
    """
    channels, height, breadth = _image("cnn", shape)
    flat = 2 * width * (height // 4) * (breadth // 4)
    return nn.Sequential(
        *(_convolution(channels, width), nn.ReLU(), nn.MaxPool2d(2)),
        *(_convolution(width, 2 * width), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), _linear(flat, classes)),
    )


def resnet(shape: Shape, classes: int, *, width: Count = 16, blocks: Count = 1) -> nn.Module:
    """Residual network (He et al. 2016, arXiv:1512.03385) for images (channels, height, width).

    A 3x3 convolution, three stages of ``blocks`` blocks with ``width``, 2 and 4 times as many
    channels, each stage after the first of half the size, and the mean over the image. GroupNorm
    (Wu & He 2018, arXiv:1803.08494) in the place of BatchNorm.

    Raises:
        ModelError: the inputs are no images of at least 4 x 4.
    """
    channels, _, _ = _image("resnet", shape)
    layers = [_convolution(channels, width, bias=False), _norm(width), nn.ReLU()]
    inputs = width
    for stage in range(3):
        outputs = width * 2**stage
        for block in range(blocks):
            layers.append(Residual(inputs, outputs, stride=2 if stage and not block else 1))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), _linear(inputs, classes))


class Residual(nn.Module):
    """Two convolutions with their norms, added to a shortcut."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        # No biases: the norms take them off again.
        self.first = _convolution(inputs, outputs, stride=stride, bias=False)
        self.second = _convolution(outputs, outputs, bias=False)
        self.norm, self.other_norm = _norm(outputs), _norm(outputs)
        same = stride == 1 and inputs == outputs
        self.shortcut = (
            nn.Identity() if same else _convolution(inputs, outputs, size=1, stride=stride)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images (b channels height width) of the next block."""
        inside = self.other_norm(self.second(relu(self.norm(self.first(images)))))
        return relu(inside + self.shortcut(images))


NETS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {"mlp": mlp, "cnn": cnn, "resnet": resnet}
)
"""The packaged networks by name: of an input's shape, the number of classes, and options."""


def _image(name: str, shape: Shape) -> Shape:
    if len(shape) != 3 or min(shape[1:]) < 4:
        raise ModelError(
            f"{name}: inputs have the shape {shape}; give images (channels, height, width) of at "
            "least 4 x 4, or take mlp"
        )
    return shape


def _linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    _initialise(layer)
    return layer


def _convolution(
    inputs: int, outputs: int, *, size: int = 3, stride: int = 1, bias: bool = True
) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=bias)
    _initialise(layer)
    return layer


def _initialise(layer: nn.Linear | nn.Conv2d) -> None:
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _norm(channels: int) -> nn.GroupNorm:
    """Of up to eight groups, with two channels at least."""
    groups = max([1, *(g for g in range(2, 9) if channels % (2 * g) == 0)])
    return nn.GroupNorm(groups, channels)
