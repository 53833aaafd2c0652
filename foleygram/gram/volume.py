"""The Gram volume (section III-A, Eqs. 1 and 2): how far apart several modalities of one clip are.

Everything here runs in fp32 at least, also under autocast: a determinant of dot products in half precision is noise.
Rounding leaves the determinant uncertain by about 1e-7, so volumes below about 5e-4 are not told apart.
"""

import torch
from jaxtyping import Float
from torch import Tensor

EPS = 1e-8
"""Floor of the squared volume. The square root has an infinite slope at 0 (t = v = a); at the floor its slope is 0."""


def gram_matrix(*vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch k k"]:
    """Dot products of ``k`` >= 1 vectors with one another (Eq. 1); their norms are taken as they are."""
    with torch.autocast(vectors[0].device.type, enabled=False):
        sides = torch.stack([_exact(vector) for vector in vectors], dim=-2)
        return sides @ sides.mT


def volume(*vectors: Float[Tensor, "*batch dim"], eps: float = EPS) -> Float[Tensor, "*batch"]:
    """Volume of the parallelotope with the ``k`` >= 1 given sides (Eq. 2): 0..1 for unit vectors, 1 if orthogonal.

    ``eps``: floor of the squared volume, so that the least volume is sqrt(eps); 0 gives sqrt(|det|) as the reference
    (ispamm/GRAM), whose gradient is not finite for dependent vectors."""
    return _root(_determinant(gram_matrix(*vectors)), eps)


def pairwise_volume(
    text: Float[Tensor, "rows dim"],
    video: Float[Tensor, "columns dim"],
    audio: Float[Tensor, "columns dim"],
    eps: float = EPS,
) -> Float[Tensor, "rows columns"]:
    """Volume of every text with every (video, audio) pair, as Eqs. 3 and 4 need it, from the six kinds of dot product
    and without a 3 x 3 matrix for each pair. ``eps`` as in :func:`volume`."""
    with torch.autocast(text.device.type, enabled=False):
        text, video, audio = _exact(text), _exact(video), _exact(audio)
        tt = text.square().sum(-1)[:, None]
        vv, aa = video.square().sum(-1), audio.square().sum(-1)
        va = (video * audio).sum(-1)
        tv, ta = text @ video.T, text @ audio.T
        determinant = tt * (vv * aa - va.square()) - tv.square() * aa - ta.square() * vv + 2 * tv * ta * va
        return _root(determinant, eps)


def _exact(vector: Tensor) -> Tensor:
    return vector if vector.dtype == torch.float64 else vector.float()


def _determinant(gram: Float[Tensor, "*batch k k"]) -> Float[Tensor, "*batch"]:
    """Closed forms up to three sides: the backward pass of the factorisation is slower and rougher near 0."""
    match gram.shape[-1]:
        case 1:
            return gram[..., 0, 0]
        case 2:
            return gram[..., 0, 0] * gram[..., 1, 1] - gram[..., 0, 1].square()
        case 3:
            a, b, c = gram[..., 0, 0], gram[..., 1, 1], gram[..., 2, 2]
            ab, ac, bc = gram[..., 0, 1], gram[..., 0, 2], gram[..., 1, 2]
            return a * (b * c - bc.square()) - ab.square() * c - ac.square() * b + 2 * ab * ac * bc
        case _:
            return torch.linalg.det(gram)


def _root(determinant: Tensor, eps: float) -> Tensor:
    """Rounding can push a vanishing determinant below 0, hence the absolute value."""
    squared = determinant.abs()
    return (squared.clamp(min=eps) if eps else squared).sqrt()
