"""Losses as pure functions of tensors: soft contrastive, InfoNCE, and those of peer methods.

`z` and `z_positive` are projections of the first and of the other view, `(batch, n_projection)`. Losses are
scalars, in float32 whatever the precision of the networks: in bfloat16, `log(1 - Q)` loses all its digits
once `Q` is close to 1. All but :func:`byol` raise ValueError for fewer than two rows.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# log(1 - Q) and its gradient are unbounded where two rows coincide: 1 - Q is at least this.
_MIN_DISSIMILARITY = 1e-6
_MIN_LOG_SIMILARITY = -80.0


def log_t_similarity(squared_distance: Tensor, *, degrees: float) -> Tensor:
    """Compute the logarithm of the Student-t similarity of rows at a squared distance, float32.

    `log kappa(a, b; nu) = -(nu + 1) / 2 * log(1 + |a - b|^2 / nu)`, at most 0 (paper, eq. 5). Large `nu`,
    the `degrees` of freedom, approach a Gaussian; small ones have heavy tails.
    """
    return -(degrees + 1.0) / 2.0 * torch.log1p(squared_distance.float() / degrees)


def t_similarity(squared_distance: Tensor, *, degrees: float) -> Tensor:
    """Compute the Student-t similarity `(1 + d^2 / nu) ** (-(nu + 1) / 2)`, in (0, 1] (paper, eq. 5)."""
    return log_t_similarity(squared_distance, degrees=degrees).exp()


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Compute the squared Euclidean distances between all rows of two matrices; `(n_a, n_b)`, float32.

    The form `|a|^2 + |b|^2 - 2ab` needs one matrix product; rounding below zero is cut off.
    """
    a, b = a.float(), b.float()
    squares = a.square().sum(1)[:, None] + b.square().sum(1)[None, :]
    return (squares - 2.0 * a @ b.T).clamp_min(0.0)


def soft_contrastive_loss(
    y: Tensor, z: Tensor, z_positive: Tensor, *, degrees_y: float, degrees_z: float
) -> Tensor:
    """Compute the soft contrastive loss (paper, eq. 4 and 5; `docs/method.md` derives it).

    `- mean_i sum_j [ P_ij log Q_ij + (1 - P_ij) log(1 - Q_ij) ]` with `Q_ij = kappa(z_i, z+_j; nu_z)`,
    `P_ii = 1` and else `P_ij = kappa(y_i, y_j; nu_y)` of the embeddings `y` of the first view. No gradient
    flows through `P`. `degrees_y = inf` gives the hard target, `P_ij = 0` for every other row.
    """
    _require_others(z)
    log_q = log_t_similarity(squared_distances(z, z_positive), degrees=degrees_z)
    log_not_q = torch.log(-torch.expm1(log_q.clamp_max(-_MIN_DISSIMILARITY)))
    # The matched pair uses the difference itself, as the product form rounds worst there.
    matched = (z.float() - z_positive.float()).square().sum(1)
    attraction = log_t_similarity(matched, degrees=degrees_z)
    if degrees_y == float("inf"):
        pairs = log_not_q
    else:
        with torch.no_grad():
            log_p = log_t_similarity(squared_distances(y, y), degrees=degrees_y)
            # Avoids subnormal numbers, which are slow.
            p = log_p.clamp_min(_MIN_LOG_SIMILARITY).exp()
        pairs = p * log_q + (1.0 - p) * log_not_q
    repulsion = pairs.sum(1) - pairs.diagonal()
    return -(attraction + repulsion).mean()


def info_nce(z: Tensor, z_positive: Tensor, *, temperature: float) -> Tensor:
    """Compute InfoNCE on cosine similarities, in both directions (van den Oord et al. 2018, eq. 4).

    Similarities are divided by `temperature`.
    """
    _require_others(z)
    z, z_positive = (
        functional.normalize(z.float(), dim=1),
        functional.normalize(z_positive.float(), dim=1),
    )
    logits = z @ z_positive.T / temperature
    target = torch.arange(len(z), device=z.device)
    forward = functional.cross_entropy(logits, target)
    return 0.5 * (forward + functional.cross_entropy(logits.T, target))


def nt_xent(z: Tensor, z_positive: Tensor, *, temperature: float) -> Tensor:
    """Compute the normalised temperature-scaled cross entropy of SimCLR (Chen et al. 2020, eq. 1).

    Like :func:`info_nce`, but each row is contrasted with all other rows of *both* views.
    """
    _require_others(z)
    z = functional.normalize(torch.cat([z, z_positive]).float(), dim=1)
    logits = z @ z.T / temperature
    logits = logits.masked_fill(torch.eye(len(z), dtype=torch.bool, device=z.device), float("-inf"))
    target = torch.arange(len(z), device=z.device).roll(len(z) // 2)
    return functional.cross_entropy(logits, target)


def byol(predicted: Tensor, target: Tensor) -> Tensor:
    """Compute the squared distance of normalised prediction and target (Grill et al. 2020, eq. 2).

    The prediction is made from one view; the target is the target network's projection of the other.
    """
    return 2.0 - 2.0 * functional.cosine_similarity(predicted.float(), target.float(), dim=1).mean()


def vicreg(z: Tensor, z_positive: Tensor) -> Tensor:
    """Compute the variance-invariance-covariance loss, weights 25, 25, 1 (Bardes et al. 2022, eq. 6)."""
    _require_others(z)
    invariance = functional.mse_loss(z.float(), z_positive.float())
    variance, covariance = z.new_zeros((), dtype=torch.float32), z.new_zeros((), dtype=torch.float32)
    for view in (z.float(), z_positive.float()):
        centered = view - view.mean(0)
        # Half of each view's hinge, as in the authors' code.
        variance = variance + 0.5 * torch.relu(1.0 - (view.var(0) + 1e-4).sqrt()).mean()
        products = centered.T @ centered / (len(view) - 1)
        off_diagonal = products.square().sum() - products.diagonal().square().sum()
        covariance = covariance + off_diagonal / view.shape[1]
    return 25.0 * invariance + 25.0 * variance + covariance


def _require_others(z: Tensor) -> None:
    """Refuse a batch of one row, which has no other row to contrast with."""
    if len(z) < 2:
        msg = f"A contrastive loss needs at least 2 rows in a batch, got {len(z)}."
        raise ValueError(msg)
