"""Where the backward pass of the cross-entropy starts, right for samples of any confidence."""

import torch


def unit_cotangent(logits: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradient p - e_y of the cross-entropy with respect to the logits, scaled to largest entry 1, and its scale.

    The entry of the label is minus the sum of the others, never p_y - 1: the two are equal, but the second is 0 in
    floating point for confident samples. All of it in float64 and relative to the most probable other class, so that
    neither the shape nor (down to 1e-308) the scale is lost.

    Args:
        logits: (n, n_classes).
        label: (n,) int64.

    Returns:
        (n, n_classes) in the type of `logits`, and (n,) float64 scales: the gradient is their product.
    """
    rows = label.unsqueeze(1)
    log_p = torch.log_softmax(logits.detach().double(), dim=1)
    others = log_p.scatter(1, rows, -torch.inf)
    total = torch.logsumexp(others, dim=1, keepdim=True)
    unit = (others - total).exp().scatter(1, rows, -1.0)
    return unit.to(logits.dtype), total.squeeze(1).exp()
