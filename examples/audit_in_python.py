"""Audit a model from Python: the library takes the same road as the command line.

    python examples/audit_in_python.py

Trains the demo's small network on half of scikit-learn's digits, audits it, and prints what a release script may want.
"""

import tempfile
from pathlib import Path

import mi_audit
from mi_audit.stages.demo import train_target


def main() -> None:
    """Train, audit, print, and check what must hold for any audit."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder, "digits.pt")
        train_target(checkpoint, seed=0)
        audit = mi_audit.audit(str(checkpoint), "digits", cache_dir=Path(folder, "cache"))

    print(f"{audit.title}: {audit.selected} was chosen on the known samples")
    for row in (audit.row(audit.selected), audit.row("naive")):
        accuracy, alarms = row.metrics["balanced_accuracy"], row.metrics["false_alarm_rate"]
        print(f"{row.attack}: balanced accuracy {accuracy.value:.2%} ({accuracy.low:.2%} to {accuracy.high:.2%}),")
        print(f"  false alarms on {alarms.value:.2%} of {row.n_non_members} non-members")

    # The naive attack needs no training: its balanced accuracy is one half plus half the generalisation gap.
    full = next(row for row in audit.accuracy if row.samples == "full")
    naive = audit.row("naive", samples="full").metrics["balanced_accuracy"].value
    assert abs(naive - (0.5 + full.generalisation_gap.value / 2)) < 1e-12
    # A number that the data cannot support is not there, and says why.
    undefined = audit.row("naive", "misclassified").metrics["balanced_accuracy"]
    assert undefined.value is not None or undefined.reason


if __name__ == "__main__":
    main()
