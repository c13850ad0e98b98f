"""Everything about confidences, derived from the target's outputs in float64 log-space.

A float32 confidence is exactly 1 where 1 - p < 3e-8, which is where the members of an overfitted target are. So
nothing here takes the logarithm of a rounded probability: with logits z and the log-odds of class c against all the
others,

    phi_c = z_c - logsumexp_{j != c} z_j,    log p_c = -softplus(-phi_c),    log(1 - p_c) = -softplus(phi_c),

which keep their relative precision on both ends. Finite outputs give finite numbers, however far the logits lie apart.

Outputs are read in blocks of rows, so a memory-mapped (1300000, 1000) array never needs a float64 copy of itself.
``outputs_kind`` is ``"logits"`` or ``"probabilities"``; probabilities below the smallest positive normal number of
their dtype (zeros above all) are lifted to it, and each row is renormalised.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_audit.errors import DataSetError, OutputsError

SIGNALS = ("loss", "max-confidence", "entropy", "modified-entropy")

# Further ones, for those who ask. Log-odds rank samples as the loss does; what they add is a scale without a bound.
MORE_SIGNALS = ("log-odds", "margin", "output-gradient")

MAX_TOP = 10  # how many of the largest confidences a summary keeps

# Of a row of probabilities: rounding to three decimals moves a sum of ten by up to half of this.
SUM_TOLERANCE = 1e-3

_BLOCK_BYTES = 2**20  # float64 bytes of one block: fits a cache; at most eight arrays of that size live at a time

FloatArray = NDArray[np.float64]
Outputs = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


def look_like_probabilities(outputs: Outputs) -> bool:
    """Whether every row of (n, C) outputs lies in [0, 1] and sums to 1, as confidences do and logits do not."""
    if not outputs.size or outputs.min() < 0 or outputs.max() > 1:
        return False
    return bool((np.abs(outputs.sum(axis=1, dtype=np.float64) - 1) <= SUM_TOLERANCE).all())


def log_confidences(outputs: Outputs, outputs_kind: str) -> FloatArray:
    """Logarithm of the confidence vector, (n, C) float64.

    The one function here whose result is as large as the outputs.

    Raises:
        OutputsError: label-only outputs, NaN or infinity, negative probabilities, fewer than two classes.

    >>> log_confidences(np.array([[1000.0, 0.0]]), "logits")
    array([[    0., -1000.]])
    """
    result = np.empty(np.shape(outputs))
    for rows, z in _blocks(outputs, outputs_kind):
        top = z.argmax(axis=1)
        result[rows] = _log_confidences(z, top, _log_odds(z, top))
    return result


def log_odds(outputs: Outputs, label: Labels, outputs_kind: str) -> FloatArray:
    """Log-odds of the true class, phi = z_y - logsumexp_{j != y} z_j, (n,): unbounded where confidences saturate.

    The scaling of Carlini et al. (S&P 2022), log(p / (1 - p)), without its rounding.

    Raises:
        OutputsError: as `log_confidences`.
        DataSetError: labels of another length, or out of range.

    >>> log_odds(np.array([[40.0, 0.0]]), np.array([0]), "logits")
    array([40.])
    """
    _check_labels(label, outputs)
    result = np.empty(len(outputs))
    for rows, z in _blocks(outputs, outputs_kind):
        result[rows] = _log_odds(z, label[rows])
    return result


def loss(outputs: Outputs, label: Labels, outputs_kind: str) -> FloatArray:
    """Cross-entropy of the true class in nats, softplus(-phi), (n,): precise near 0. Errors as `log_odds`.

    >>> loss(np.array([[40.0, 0.0]]), np.array([0]), "logits")  # the textbook -log(softmax) is 0 here
    array([4.24835426e-18])
    """
    return _softplus(-log_odds(outputs, label, outputs_kind))


def true_class_confidence(outputs: Outputs, label: Labels, outputs_kind: str) -> FloatArray:
    """Confidence of the true class, p_y, (n,). Errors as `log_odds`."""
    return np.exp(-loss(outputs, label, outputs_kind))


def signals(outputs: Outputs, label: Labels, outputs_kind: str) -> dict[str, FloatArray]:
    """The signals of threshold attacks, each (n,) and turned so that larger means member.

    - loss: minus the cross-entropy, log p_y (Yeom et al., CSF 2018).
    - max-confidence: log max_j p_j (Salem et al., NDSS 2019).
    - entropy: sum_j p_j log p_j.
    - modified-entropy: (1 - p_y) log p_y + sum_{j != y} p_j log(1 - p_j), minus that of Song & Mittal (USENIX
      Security 2021).
    - log-odds: phi of the module (Carlini et al., S&P 2022).
    - margin: z_y - max_{j != y} z_j, the logarithm of p_y over the best other confidence.
    - output-gradient: -log ||p - e_y||_2, where p - e_y is the gradient of the loss with respect to the logits.

    Errors as `log_odds`.
    """
    _check_labels(label, outputs)
    result = {name: np.empty(len(outputs)) for name in (*SIGNALS, *MORE_SIGNALS)}
    for rows, z in _blocks(outputs, outputs_kind):
        for name, values in _signals(z, label[rows]).items():
            result[name][rows] = values
    return result


def summary_columns(n_classes: int) -> tuple[str, ...]:
    """Names of the columns of `summary` for a target with `n_classes` classes.

    >>> summary_columns(2)
    ('confidence', 'log-confidence', 'log-odds', 'best-other', 'entropy', 'correct', 'top-1', 'top-2', 'class')
    """
    top = tuple(f"top-{rank}" for rank in range(1, min(MAX_TOP, n_classes) + 1))
    return ("confidence", "log-confidence", "log-odds", "best-other", "entropy", "correct", *top, "class")


def summary(
    outputs: Outputs, label: Labels, predicted: Labels, outputs_kind: str
) -> tuple[FloatArray, tuple[str, ...]]:
    """What an attack on confidences needs to know about a sample, in few columns that mean the same for every class.

    Columns: the true class's confidence p_y, its logarithm and log-odds; the log-confidence of the best other class;
        the entropy in nats; whether the prediction is correct (0 or 1); the min(10, C) largest log-confidences,
        falling; the true class's number.

    Args:
        outputs: (n, C).
        label: (n,) true class numbers.
        predicted: (n,) the target's own, which need not be the first maximum of a tie.
        outputs_kind: see the module.

    Returns:
        The matrix (n, k) float64, and the names of its k columns.

    Errors as `log_odds`.
    """
    _check_labels(label, outputs)
    _check_labels(predicted, outputs)
    columns = summary_columns(outputs.shape[1])
    matrix = np.empty((len(outputs), len(columns)))
    for rows, z in _blocks(outputs, outputs_kind):
        matrix[rows, :-1] = _summary(z, label[rows], predicted[rows])
    matrix[:, -1] = label
    return matrix, columns


def _signals(z: FloatArray, label: Labels) -> dict[str, FloatArray]:
    top = z.argmax(axis=1)
    margin, total, squares = _against_others(z, label)
    phi, phi_top = margin - np.log(total), _log_odds(z, top)
    log_p = _log_confidences(z, top, phi_top)
    p = np.exp(log_p)
    return {
        "loss": -_softplus(-phi),
        "max-confidence": -_softplus(-phi_top),
        "entropy": (p * log_p).sum(axis=1),
        "modified-entropy": _modified_entropy(p, label, phi, top, phi_top),
        "log-odds": phi,
        "margin": margin,
        # ||p - e_y|| = (1 - p_y) sqrt(1 + sum_{j != y} q_j^2), with q_j = p_j / (1 - p_y): as a logarithm it never
        # vanishes, however sure the target is.
        "output-gradient": _softplus(phi) - 0.5 * np.log1p(squares / total**2),
    }


def _modified_entropy(p: FloatArray, label: Labels, phi: FloatArray, top: Labels, phi_top: FloatArray) -> FloatArray:
    """The last of `signals`. Only the top class can exceed 1/2, so only its log(1 - p) needs the log-odds."""
    each = np.arange(len(p))
    below_half = p.copy()
    below_half[each, top] = 0.0
    terms = p * np.log1p(-below_half)
    terms[each, top] = p[each, top] * -_softplus(phi_top)
    terms[each, label] = np.exp(-_softplus(phi)) * -_softplus(-phi)
    total: FloatArray = terms.sum(axis=1)
    return total


def _summary(z: FloatArray, label: Labels, predicted: Labels) -> FloatArray:
    """All columns of `summary` but the last."""
    top = z.argmax(axis=1)
    phi = _log_odds(z, label)
    log_p = _log_confidences(z, top, _log_odds(z, top))
    entropy = -(np.exp(log_p) * log_p).sum(axis=1)
    log_p_label = -_softplus(-phi)
    first = z.shape[1] - min(MAX_TOP, z.shape[1])
    largest = np.sort(np.partition(log_p, first, axis=1)[:, first:], axis=1)[:, ::-1]
    log_p[np.arange(len(z)), label] = -np.inf
    best_other = log_p.max(axis=1)
    is_correct = (predicted == label).astype(np.float64)
    return np.column_stack([np.exp(log_p_label), log_p_label, phi, best_other, entropy, is_correct, largest])


def _log_odds(z: FloatArray, column: Labels) -> FloatArray:
    """Log-odds (n,) of one class per row."""
    margin, total, _ = _against_others(z, column)
    phi: FloatArray = margin - np.log(total)
    return phi


def _against_others(z: FloatArray, column: Labels) -> tuple[FloatArray, FloatArray, FloatArray]:
    """One class per row against all others: its distance from the best of them, and their sums, each (n,).

    With m the largest of the other logits, the sums are those of e^(z_j - m) and of its square. The class is left out
    of them, not subtracted: no cancellation.
    """
    each = np.arange(len(z))
    others = z.copy()
    others[each, column] = -np.inf
    largest = others.max(axis=1)
    others -= largest[:, None]
    np.exp(others, out=others)
    return z[each, column] - largest, others.sum(axis=1), np.einsum("ij,ij->i", others, others)


def _log_confidences(z: FloatArray, top: Labels, phi_top: FloatArray) -> FloatArray:
    """Log-confidences (n, C), precise for the top class because its distance to 0 comes from its log-odds."""
    log_p: FloatArray = z - z[np.arange(len(z)), top][:, None]
    log_p -= _softplus(-phi_top)[:, None]
    return log_p


def _softplus(x: FloatArray) -> FloatArray:
    """log(1 + e^x), precise for very negative x and finite for very positive x."""
    result: FloatArray = np.logaddexp(0.0, x)
    return result


def _blocks(outputs: Outputs, outputs_kind: str) -> Iterator[tuple[slice, FloatArray]]:
    """The outputs as float64 logits, a block of rows at a time."""
    _check_outputs(outputs, outputs_kind)
    n_samples, n_classes = outputs.shape
    n_rows = max(1, _BLOCK_BYTES // (8 * n_classes))
    for start in range(0, n_samples, n_rows):
        block = outputs[start : start + n_rows]
        is_bad = ~np.isfinite(block).all(axis=1)
        if is_bad.any():
            raise OutputsError(f"expected finite outputs, got NaN or infinity (first in row {start + is_bad.argmax()})")
        yield slice(start, start + len(block)), _as_logits(block, outputs_kind)


def _as_logits(block: Outputs, outputs_kind: str) -> FloatArray:
    """Logits whose softmax is the block: itself, or the logarithm of probabilities with their zeros repaired."""
    if outputs_kind == "logits":
        return block.astype(np.float64)
    if (block < 0).any():
        raise OutputsError(f"expected probabilities, got {block.min()}")
    return np.log(np.maximum(block.astype(np.float64), float(np.finfo(block.dtype).tiny)))


def _check_outputs(outputs: Outputs, outputs_kind: str) -> None:
    if outputs_kind not in {"logits", "probabilities"}:
        raise OutputsError(
            f"expected logits or probabilities, got {outputs_kind}", "without confidences only the naive attack can run"
        )
    if outputs.ndim != 2 or outputs.shape[1] < 2:
        raise OutputsError(f"expected outputs of shape (n_samples, n_classes >= 2), got {outputs.shape}")
    if not np.issubdtype(outputs.dtype, np.floating):
        raise OutputsError(f"expected floating-point outputs, got {outputs.dtype}")


def _check_labels(label: Labels, outputs: Outputs) -> None:
    if outputs.ndim != 2 or label.shape != (len(outputs),) or not np.issubdtype(label.dtype, np.integer):
        raise DataSetError(f"expected one integer label per row of outputs, got {label.dtype} {label.shape}")
    if len(label) and not (label.min() >= 0 and label.max() < outputs.shape[1]):
        raise DataSetError(f"expected labels from 0 to {outputs.shape[1] - 1}, got {label.min()} to {label.max()}")
