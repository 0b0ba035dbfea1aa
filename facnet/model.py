"""FAC-Net: embedding, three branches, hybrid attention, losses (section 3 of the paper).

From top to bottom as the paper: features (3.1), the network with its three branches and their
attention (equations 1 to 4 and 8 to 13), their losses (equations 5, 6, 12 and 14; the paper's (7)
is a bound that follows from (6)). What all need comes last: videos packed, cosines, dropout.

A mini-batch of videos is *packed*: the snippets of all videos stand one under the other in one
[N, D] matrix, N = T_1 + ... + T_B, and `lengths` says where a video ends. Wide products are one
call for all snippets, and attention is a softmax over the rows of one video.

Shapes in comments: B videos, N packed snippets, D channels, K class columns (C + 1 with a
background class, C without), H temperatures. Everything here is of one model; `facnet.training`
computes several at once by `torch.func.vmap`, which puts one more axis before all of these.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from facnet.config import ModelConfig, TrainingConfig


class Embedding(nn.ModuleList):
    """Task-oriented features of snippets (section 3.1): layers of a linear map, dropout and a ReLU.

    Parameters
    ----------
    input_width : int
        Features a snippet.
    widths : tuple of int
        Channels of each layer; without any the features stay as they are.
    kernel : int
        Snippets that one output of a layer sees.
    dropout : float
        Rate, before or after the ReLU, which is the same.
    """

    def __init__(self, input_width: int, widths: tuple[int, ...], kernel: int, dropout: float):
        # A layer that sees `kernel` snippets is a linear map of them laid side by side.
        super().__init__(nn.Linear(kernel * before, width)
                         for before, width in zip((input_width, *widths), widths))
        self.kernel, self.dropout = kernel, dropout

    def forward(self, x: Tensor, videos: "Packing", bfloat16: bool = False) -> Tensor:
        """Packed snippets [N, input_width] to X_e [N, D]."""
        snippets, dtype, on_cpu = len(x), x.dtype, videos.membership is None
        # oneDNN makes a program for each number of rows: so that there are few, it is rounded up.
        spare = -snippets % 64 if on_cpu else 0
        x, video = functional.pad(x, (0, 0, 0, spare)), videos.of_snippet
        video = functional.pad(video, (0, spare), value=-1)
        dropped = round(self.dropout * 256) if self.training else 0
        for i, layer in enumerate(self):
            x = neighbourhood(x, video, self.kernel)
            x = linear(x, layer, 256 / (256 - dropped), bfloat16, on_cpu)
            if dropped:
                drop_before_relu(x, dropped, videos.key(i))
            x = x.relu_()  # in place: so wide a tensor costs more to allocate than to compute
        return x[:snippets].to(dtype)


class Output(NamedTuple):
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

    Weights begin Xavier uniform, biases zero; W_f by `config.foreground_init`.
    """

    def __init__(self, input_width: int, classes: int, config: ModelConfig = ModelConfig()):
        super().__init__()
        self.config, self.input_width = config, input_width
        self.embedding = Embedding(
            input_width, config.embedding_widths, config.embedding_kernel, config.dropout)
        width = config.embedding_widths[-1]
        self.W_a = nn.Parameter(torch.empty(classes + config.background_class, width))
        self.W_f = nn.Parameter(torch.empty(1, width))
        xavier(self.embedding)
        nn.init.xavier_uniform_(self.W_a)
        nn.init.xavier_uniform_(self.W_f)
        if self.config.background_class and self.config.foreground_init == "minus_background":
            with torch.no_grad():
                self.W_f.copy_(-self.W_a[-1:])

    def forward(self, x: Tensor, lengths: Tensor, bfloat16: bool = False,
                key: Tensor | None = None) -> Output:
        """Scores of packed videos.

        Parameters
        ----------
        x : Tensor [N, input_width]
            Snippets of all videos, one video after the other.
        lengths : Tensor [B], integer, on the CPU, or Tensor [N, B]
            Snippets a video, each at least 1; they add up to N. Or a membership, as in `Packing`.
        bfloat16 : bool
            Compute the embedding, nine tenths of the work, in bfloat16. Cosines and attention
            keep the weights' precision: an error of 2^-9 would move the sharper softmaxes.
        key : Tensor [], integer, optional
            From which the dropout of training follows; without it one is drawn.
        """
        config = self.config
        videos = Packing(lengths, x, key)
        X_e = self.embedding(x, videos, bfloat16)  # [N, D]
        # (1) and (8) in one product, the foreground's score last: [N, K+1]
        W = torch.cat([self.W_a, self.W_f])
        scores = config.scale * cosine(X_e, W)
        S_a, S_f = scores[:, :-1], scores[:, -1]

        attention = videos.softmax(scores, config.temperatures)  # (2), (9): [N, H, K+1]
        A_a = attention[..., :-1]
        F = videos.weighted_sums(attention, X_e)  # (3), (10), F_a and F_f: [B, H, K+1, D]
        F_a, F_f = F[:, :, :-1], F[:, :, -1]

        delta = config.video_scale
        R_a = delta * cosine(F_a, self.W_f).squeeze(-1).mean(1)  # (4): [B, K]
        R_f = delta * cosine(F_f, self.W_a).mean(1)  # inside (11): [B, K]
        R_m = videos.sums((A_a * S_a.unsqueeze(1)).mean(1))  # (13): [B, K]
        return Output(X_e, S_a, S_f, R_a, R_f, delta / config.scale * R_m)


def class_wise_foreground(x: Tensor, activation: Tensor, w_f: Tensor, videos: "Packing",
                          temperatures: tuple[float, ...], scale: float) -> Tensor:
    """The CW branch, equations 2 to 4, as a block that any method with these three can take.

    `FACNet` computes the same together with its other branches.

    Parameters
    ----------
    x : Tensor [N, D]
        Snippets' features, of a layer that learns.
    activation : Tensor [N, K]
        S_a, what a method has as scores of classes.
    w_f : Tensor [1, D]
        W_f, the direction of the foreground.
    videos : Packing
    temperatures : tuple of float
        τ, one attention each.
    scale : float
        δ of equation 4.

    Returns
    -------
    Tensor [B, K]
        R_a, whose softmax is P_a.
    """
    A_a = videos.softmax(activation, temperatures)  # (2): [N, H, K]
    F_a = videos.weighted_sums(A_a, x)  # (3): [B, H, K, D]
    return scale * cosine(F_a, w_f).squeeze(-1).mean(1)  # (4)


def normalised_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Equations 6 and 12 before the mean over videos: -ŷ·log softmax(scores), ŷ = y / Σy.

    Parameters
    ----------
    scores : Tensor [B, K]
        A video's scores before the softmax.
    labels : Tensor [B, K]
        y, zeros and ones. A video without labels has loss 0.

    Returns
    -------
    Tensor [B]
    """
    # The released 1e-8 keeps a video without any label from dividing by zero.
    normalised = labels / (labels.sum(-1, keepdim=True) + 1e-8)
    return -(normalised * torch.log_softmax(scores, dim=-1)).sum(-1)


def separate_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of each class's sigmoid, Σ over classes / Σy.

    In place of equations 5 and 6 where a video's classes are not to compete. Parameters and result
    as in `normalised_cross_entropy`, but that a video without labels is one where all are absent.
    """
    each = functional.binary_cross_entropy_with_logits(scores, labels, reduction="none")
    return each.sum(-1) / labels.sum(-1).clamp_min(1)


def fac_net_losses(output: Output, labels: Tensor, config: TrainingConfig) -> dict[str, Tensor]:
    """The three branches' losses and their weighted sum (equation 14).

    Parameters
    ----------
    output : Output
    labels : Tensor [B, C]
        Video-level labels without background.
    config : TrainingConfig
        For λ_cw, λ_ca and λ_mil.

    Returns
    -------
    dict of str to Tensor [B]
        cw, ca, mil, and total, which is equation 14.

    Notes
    -----
    With a background class y(C+1) is 0 for the CW and CA branch, since neither foreground nor
    actions are background, and 1 for the MIL branch, since every video holds some.
    """
    labels = labels.to(output.R_a.dtype)
    background = output.R_a.shape[1] - labels.shape[1]  # 1, or 0 without such a class
    without, with_background = (
        functional.pad(labels, (0, background), value=value) for value in (0.0, 1.0))
    cw_loss = {"softmax": normalised_cross_entropy, "sigmoid": separate_cross_entropy}
    cw = cw_loss[config.cw_classes](output.R_a, without)  # (5), (6)
    ca = normalised_cross_entropy(output.R_f, without)  # (11), (12)
    mil = normalised_cross_entropy(output.R_m, with_background)
    total = config.lambda_cw * cw + config.lambda_ca * ca + config.lambda_mil * mil  # (14)
    return {"cw": cw, "ca": ca, "mil": mil, "total": total}


def xavier(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases of a module's linear layers."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)


class Packing:
    """Which packed snippet belongs to which video, and sums and softmaxes over a video's snippets.

    Parameters
    ----------
    lengths : Tensor [B], integer, on the CPU, or Tensor [N, B]
        Snippets a video; or the membership, 1 where a snippet is of a video, else 0. A snippet of
        none fills up: it has no part in anything.
    x : Tensor [N, ...]
        Snippets: for their device and type.
    key : Tensor [], integer, optional
        Of the mini-batch's random numbers.

    There are two ways to sum over a video's snippets. On a CPU they are added up, video by video;
    padded to one length, or multiplied by the membership, they take longer. Elsewhere, and where
    several models are computed at once, a sum is a product with the membership: a few large
    operations, which add in the same order every time.
    """

    def __init__(self, lengths: Tensor, x: Tensor, key: Tensor | None = None):
        self._key, self.membership = key, None
        if lengths.ndim == 2:
            self.membership, self.videos, self.counts = lengths, lengths.shape[1], lengths.sum(0)
            numbers = torch.arange(1, self.videos + 1, device=x.device, dtype=x.dtype)
            self.of_snippet = lengths @ numbers - 1  # -1: of none
            return
        self.lengths, self.videos, self.counts = lengths.tolist(), len(lengths), lengths.to(x)
        self.of_snippet = torch.repeat_interleave(torch.arange(self.videos), lengths).to(x.device)
        if x.device.type != "cpu":
            numbers = torch.arange(self.videos, device=x.device)
            self.membership = (self.of_snippet.unsqueeze(1) == numbers).to(x.dtype)

    def key(self, number: int) -> Tensor:
        """Of the mini-batch's random numbers, the `number`-th of those that a network draws."""
        key = torch.randint(2**62, ()) if self._key is None else self._key
        return key + (number << 40)  # further than any has numbers

    def sums(self, x: Tensor) -> Tensor:
        """Sum over each video's snippets: [N, ...] to [B, ...]."""
        if self.membership is not None:
            return (self.membership.T @ x.reshape(len(x), -1)).view(-1, *x.shape[1:])
        return x.new_zeros(self.videos, *x.shape[1:]).index_add(0, self.of_snippet, x)

    def spread(self, values: Tensor, else_: float = 0.0) -> Tensor:
        """To each snippet its video's value: [B, ...] to [N, ...]; `else_` where it is of none."""
        if self.membership is None:
            return values[self.of_snippet]
        found = (self.membership @ values.reshape(self.videos, -1)).view(-1, *values.shape[1:])
        of_none = 1 - self.membership.sum(1)
        return found + else_ * of_none.view(-1, *[1] * (values.ndim - 1))

    def means(self, x: Tensor) -> Tensor:
        """Mean over each video's snippets: [N, ...] to [B, ...]."""
        return self.sums(x) / self.counts.view(-1, *[1] * (x.ndim - 1))

    def softmax(self, scores: Tensor, temperatures: tuple[float, ...] | Tensor) -> Tensor:
        """Softmax over each video's snippets of τ times the scores: [N, G] to [N, H, G]."""
        tau = torch.as_tensor(temperatures).to(scores).view(-1, 1)
        below = scores - self.spread(self._largest(scores.detach()), else_=1e9)
        weight = torch.exp(tau * below.unsqueeze(1))
        return weight / self.spread(self.sums(weight), else_=1.0)

    def _largest(self, scores: Tensor) -> Tensor:
        """Each video's largest score: [N, G] to [B, G]."""
        if self.membership is not None:
            own = self.membership.unsqueeze(2) > 0  # [N, B, 1]
            return torch.where(own, scores.unsqueeze(1), -math.inf).amax(0)
        index = self.of_snippet.unsqueeze(1).expand_as(scores)
        top = scores.new_full((self.videos, scores.shape[1]), -math.inf)
        return top.scatter_reduce(0, index, scores, "amax")

    def weighted_sums(self, weights: Tensor, x: Tensor) -> Tensor:
        """Σ_t weights(t, h, g) x(t, d) of each video: [N, H, G] and [N, D] to [B, H, G, D]."""
        if self.membership is not None:
            wide = self.membership.unsqueeze(2) * weights.flatten(1).unsqueeze(1)
            found = wide.flatten(1).T @ x  # [B H G, D]
            return found.unflatten(0, (self.videos, *weights.shape[1:]))
        each = zip(weights.flatten(1).split(self.lengths), x.split(self.lengths))
        return torch.stack([w.T @ own for w, own in each]).unflatten(1, weights.shape[1:])


def cosine(x: Tensor, w: Tensor) -> Tensor:
    """Cosines of rows: [..., D] and [K, D] to [..., K].

    A row of zeros has cosine 0 with everything, where the released code divides 0 by 0: one dead
    snippet there turns every score and weight to NaN.
    """
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min(1e-8)
    return x @ functional.normalize(w, dim=-1, eps=1e-8).T / length


def neighbourhood(x: Tensor, video: Tensor, kernel: int) -> Tensor:
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


def random_bytes(key: Tensor, like: Tensor) -> Tensor:
    """Bytes from -128 to 127 by a key alone, on any device and in any company: a `like` shape.

    A word of 64 bits serves eight places. Its place's number is added to the key and mixed by two
    rounds of multiplying and shifting (as in SplitMix64).
    """
    words = torch.arange(-(-like.numel() // 8), device=like.device) + key.to(like.device)
    for factor, shift in ((-7046029254386353131, 32), (-4658895280553007687, 29)):
        words = words.mul_(factor)
        above = (words >> shift).bitwise_and_(2 ** (64 - shift) - 1)  # without copies of the sign
        words = words.bitwise_xor_(above)
    return words.view(torch.int8)[: like.numel()].view_as(like)


def linear(x: Tensor, layer: nn.Linear, factor: float, bfloat16: bool, on_cpu: bool) -> Tensor:
    """The layer's output times a factor.

    On a CPU float32 goes to oneDNN, which computes the same as MKL, PyTorch's own choice, in half
    of the time on processors that are not Intel's.
    """
    weight, bias = (layer.weight, layer.bias) if factor == 1 else (
        factor * layer.weight, factor * layer.bias)
    if bfloat16:
        x, weight, bias = (one.to(torch.bfloat16) for one in (x, weight, bias))
    elif on_cpu and x.dtype == torch.float32 and torch.backends.mkldnn.is_available():
        return functional.linear(x.to_mkldnn(), weight, bias).to_dense()
    return functional.linear(x, weight, bias)


def drop_before_relu(x: Tensor, dropped: int, key: Tensor) -> None:
    """Dropout, in place, of what goes into a ReLU next: zeros for `dropped` in 256 places.

    A random byte decides each place, where torch draws a number for each. And no mask is kept for
    the gradient: the zeros are written without autograd's knowledge (`detach` shares the memory).
    The gradient is right all the same, because the ReLU that follows passes none to where x is 0.
    """
    x.detach().mul_(kept(x, dropped, key))


def kept(like: Tensor, dropped: int, key: Tensor) -> Tensor:
    """0 in `dropped` of 256 places, else 1; of the shape and type of `like`."""
    return random_bytes(key, like).to(like.dtype).sub_(dropped - 128.5).sign_().relu_()


def dropout_mask(like: Tensor, rate: float, key: Tensor) -> Tensor:
    """What dropout multiplies with: 0 at `rate`, else what lets the mean be 1."""
    dropped = round(rate * 256)
    return kept(like, dropped, key) * (256 / (256 - dropped))
