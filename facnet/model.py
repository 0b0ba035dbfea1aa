"""FAC-Net: embedding, three branches, hybrid attention (section 3 of the paper).

A mini-batch of videos is *packed*: the snippets of all videos stand one under the other in one
[N, D] matrix, N = T_1 + ... + T_B, and `lengths` says where a video ends. Wide products are one
call for all snippets, and attention is a softmax over the rows of one video.

Shapes in comments: B videos, N packed snippets, M chunks of them, D channels, K class columns
(C + 1 with a background class, C without), H temperatures.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from facnet.config import ModelConfig

__all__ = ["FACNet", "Output"]


@dataclass(frozen=True)
class Output:
    """What the network computes for a packed mini-batch; the symbols are the paper's.

    Attributes
    ----------
    X_e : Tensor [N, D]
        Embedded snippets.
    S_a : Tensor [N, K]
        Class activations of snippets, equation 1; the last column is the background's.
    S_f : Tensor [N]
        Foreground activation of snippets, equation 8.
    R_a, R_f, R_m : Tensor [B, K]
        A video's scores from the CW, CA and MIL branch before the softmax over classes
        (equations 4, 11 and 13), each the mean over the temperatures. P_a, P_f and P_m are
        their softmax.
    """

    X_e: Tensor
    S_a: Tensor
    S_f: Tensor
    R_a: Tensor
    R_f: Tensor
    R_m: Tensor


class FACNet(nn.Module):
    """The network for one stream.

    Parameters
    ----------
    input_width : int
        Features a snippet (1024 for one stream of I3D).
    classes : int
        C, action classes without background.
    config : ModelConfig
    """

    def __init__(self, input_width: int, classes: int, config: ModelConfig = ModelConfig()):
        super().__init__()
        self.config = config
        (hidden, width), kernel = config.embedding_widths, config.embedding_kernel
        # A layer that sees `kernel` snippets is a linear map of them laid side by side.
        self.embedding = nn.ModuleList(
            [nn.Linear(kernel * input_width, hidden), nn.Linear(kernel * hidden, width)]
        )
        self.W_a = nn.Parameter(torch.empty(classes + config.background_class, width))
        self.W_f = nn.Parameter(torch.empty(1, width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier-uniform weights and zero biases; W_f by `config.foreground_init`."""
        for layer in self.embedding:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.xavier_uniform_(self.W_a)
        nn.init.xavier_uniform_(self.W_f)
        if self.config.background_class and self.config.foreground_init == "minus_background":
            with torch.no_grad():
                self.W_f.copy_(-self.W_a[-1:])

    @property
    def input_width(self) -> int:
        """Features a snippet."""
        return self.embedding[0].in_features // self.config.embedding_kernel

    @property
    def classes(self) -> int:
        """C, action classes without background."""
        return len(self.W_a) - self.config.background_class

    def embed(self, x: Tensor, video: Tensor) -> Tensor:
        """Task-oriented features X_e [N, D] of packed snippets x (section 3.1)."""
        for layer in self.embedding:
            x = layer(_neighbourhood(x, video, self.config.embedding_kernel))
            if self.config.dropout_position == "after_activation":
                x = self._dropout(functional.relu(x))
            else:
                x = functional.relu(self._dropout(x))
        return x

    def forward(self, x: Tensor, lengths: Tensor, bfloat16: bool = False) -> Output:
        """Scores of packed videos.

        Parameters
        ----------
        x : Tensor [N, input_width]
            Snippets of all videos, one video after the other.
        lengths : Tensor [B], integer, on the CPU
            Snippets a video, each at least 1; they add up to N.
        bfloat16 : bool
            Compute the embedding, nine tenths of the work, in bfloat16. Cosines and attention
            keep the weights' precision: an error of 2^-9 would move the sharper softmaxes.
        """
        config = self.config
        videos = _Packing(lengths, x.device)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bfloat16):
            X_e = self.embed(x, videos.of_snippet).to(self.W_a.dtype)  # [N, D]
        # (1) and (8) in one product, the foreground's score last: [N, K+1]
        scores = config.scale * _cosine(X_e, torch.cat([self.W_a, self.W_f]))
        S_a, S_f = scores[:, :-1], scores[:, -1]

        attention = videos.softmax(scores, config.temperatures)  # (2), (9): [N, H, K+1]
        F = videos.weighted_sums(attention, X_e)  # (3), (10): [B, H, K+1, D]
        A_a, F_a, F_f = attention[..., :-1], F[:, :, :-1], F[:, :, -1]

        delta = config.video_scale
        R_a = delta * _cosine(F_a, self.W_f).squeeze(-1).mean(1)  # (4): [B, K]
        R_f = delta * _cosine(F_f, self.W_a).mean(1)  # inside (11): [B, K]
        R_m = videos.sums((A_a * S_a.unsqueeze(1)).mean(1))  # (13): [B, K]
        return Output(X_e, S_a, S_f, R_a, R_f, delta / config.scale * R_m)

    def _dropout(self, x: Tensor) -> Tensor:
        if not self.training or self.config.dropout == 0:
            return x
        # One 16-bit slice of a random word decides one channel: on a CPU this draws the mask
        # some 25 times faster than Bernoulli numbers, which took as long as the matrix product.
        dropped = round(self.config.dropout * 65536)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device)
        words.random_(torch.iinfo(torch.int64).min, None)
        bits = words.view(torch.int16)[: x.numel()].view_as(x)
        keep = (bits >= dropped - 32768).to(x.dtype)
        return x * (keep * (65536 / (65536 - dropped)))


class _Packing:
    """Which packed snippet belongs to which video, and sums and softmaxes over a video's snippets.

    Weighted sums need one product a video. To make it one batched product for all, whatever their
    lengths, snippets are laid out in chunks of at most `CHUNK` of one video, and the chunks' sums
    added. Padding every video to the longest would multiply the work by about five on THUMOS14.
    """

    CHUNK = 128

    def __init__(self, lengths: Tensor, device: torch.device):
        self.videos = len(lengths)
        of_snippet = torch.repeat_interleave(torch.arange(self.videos), lengths)
        chunks = -(-lengths // self.CHUNK)
        size = min(self.CHUNK, int(lengths.max()))
        position = torch.arange(len(of_snippet)) - (lengths.cumsum(0) - lengths)[of_snippet]
        first_chunk = (chunks.cumsum(0) - chunks)[of_snippet]
        self.row = ((first_chunk + position // size) * size + position % size).to(device)  # [N]
        self.of_snippet = of_snippet.to(device)  # [N]
        self.of_chunk = torch.repeat_interleave(torch.arange(self.videos), chunks).to(device)  # [M]
        self.size = size

    def sums(self, x: Tensor) -> Tensor:
        """Sum over each video's snippets: [N, ...] to [B, ...]."""
        return x.new_zeros(self.videos, *x.shape[1:]).index_add(0, self.of_snippet, x)

    def softmax(self, scores: Tensor, temperatures: tuple[float, ...]) -> Tensor:
        """Softmax over each video's snippets of τ times the scores: [N, G] to [N, H, G]."""
        index = self.of_snippet.unsqueeze(1).expand_as(scores)
        top = scores.new_full((self.videos, scores.shape[1]), -math.inf)
        top = top.scatter_reduce(0, index, scores.detach(), "amax")
        tau = scores.new_tensor(temperatures).view(1, -1, 1)
        weight = torch.exp(tau * (scores - top[self.of_snippet]).unsqueeze(1))
        return weight / self.sums(weight)[self.of_snippet]

    def weighted_sums(self, weights: Tensor, x: Tensor) -> Tensor:
        """Σ_t weights(t, h, g) x(t, d) of each video: [N, H, G] and [N, D] to [B, H, G, D]."""
        chunked = self._chunked(weights.flatten(1)).transpose(1, 2) @ self._chunked(x)  # [M, HG, D]
        summed = chunked.new_zeros(self.videos, *chunked.shape[1:])
        summed = summed.index_add(0, self.of_chunk, chunked)
        return summed.unflatten(1, weights.shape[1:])

    def _chunked(self, x: Tensor) -> Tensor:
        """[N, ...] to [M, size, ...], zeros where a chunk is not full."""
        rows = x.new_zeros(len(self.of_chunk) * self.size, *x.shape[1:])
        return rows.index_copy(0, self.row, x).unflatten(0, (-1, self.size))


def _cosine(x: Tensor, w: Tensor) -> Tensor:
    """Cosines of rows: [..., D] and [K, D] to [..., K].

    A row of zeros has cosine 0 with everything, where the released code divides 0 by 0: one dead
    snippet there turns every score and weight to NaN.
    """
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min(1e-8)
    return x @ functional.normalize(w, dim=-1, eps=1e-8).T / length


def _neighbourhood(x: Tensor, video: Tensor, kernel: int) -> Tensor:
    """Each packed snippet beside its neighbours, zeros past its video's ends: [N, kernel * D]."""
    if kernel == 1:
        return x
    columns = []
    for offset in range(-(kernel // 2), kernel // 2 + 1):
        inside = torch.roll(video, -offset) == video
        index = torch.arange(len(x), device=x.device) + offset
        inside &= (index >= 0) & (index < len(x))  # roll wraps round; a single video matches itself
        columns.append(torch.roll(x, -offset, 0) * inside.unsqueeze(1).to(x.dtype))
    return torch.cat(columns, dim=1)
