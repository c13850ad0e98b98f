# %% [markdown]
"""Audit a model from Python: the library takes the same road as the command line.

    python examples/audit_in_python.py [FOLDER]

The cells between the lines that begin with ``# %%`` run one by one in VS Code, Spyder, PyCharm or Jupyter (jupytext).
They train the demo's small network on half of scikit-learn's digits, audit it, and read what a release script, a
notebook or a dashboard may want. Files go to FOLDER, or to one that is removed at the end.
"""

# %% A network: here the demo's; in your own script a checkpoint that you have
import sys
import tempfile
from pathlib import Path

import mi_audit
from mi_audit import store
from mi_audit.stages.demo import train_target
from mi_audit.stages.report import render

removed_at_the_end = tempfile.TemporaryDirectory()
folder = Path(sys.argv[1] if sys.argv[1:] and not sys.argv[1].startswith("-") else removed_at_the_end.name)
checkpoint = folder / "digits.pt"
train_target(checkpoint, seed=0)

# %% The audit: any model and data that `mi-audit evaluate` takes, and its options as names
audit = mi_audit.audit(str(checkpoint), "digits", policy="standard", by_class=True, cache_dir=folder / "cache")
print(f"{audit.title}: {audit.selected} was chosen on the known samples")

# %% The verdict, and every rule behind it
print(f"\n{audit.verdict.outcome}: {audit.verdict.sentence}")
for rule in audit.verdict.rules:
    if rule.outcome in ("broken", "undecided"):
        print(f"  {rule.rule} is {rule.outcome}; samples needed on each side: {rule.n_needed or 'not known'}")
assert audit.verdict.outcome in ("PASS", "FAIL", "INCONCLUSIVE", "INVALID")

# %% Rows: an attack on a subset of the samples; every number has an interval, or the reason why it is not there
print()
for attack in (audit.selected, "naive"):
    row = audit.row(attack)
    accuracy, alarms = row.metrics["balanced_accuracy"], row.metrics["false_alarm_rate"]
    print(f"{attack}: balanced accuracy {accuracy.value:.2%} ({accuracy.low:.2%} to {accuracy.high:.2%}),")
    print(f"  false alarms on {alarms.value:.2%} of {row.n_non_members} non-members")

# The naive attack needs no training: its balanced accuracy is one half plus half the generalisation gap.
full = next(row for row in audit.accuracy if row.samples == "full")
naive = audit.row("naive", samples="full").metrics["balanced_accuracy"].value
assert abs(naive - (0.5 + full.generalisation_gap.value / 2)) < 1e-12
# This network knows all of its members: nothing can be said about those that it gets wrong.
undefined = audit.row("naive", "misclassified").metrics["balanced_accuracy"]
print(f"misclassified samples: {undefined.reason}")
assert undefined.value is None
assert undefined.reason

# %% Statistics: one-sided bounds, which the verdict compares with its limits
print()
for bound in audit.statistics.bounds:
    if bound.attack == audit.selected and bound.samples == "held-out":
        measured = "not resolved by so few samples" if bound.value is None else f"{bound.value:.4f}"
        print(f"{bound.measure}: {measured}, at most {bound.high:.4f} with 95 % confidence")
        assert bound.low <= bound.high

# %% Scores: who stands out, as arrays; keep them as private as the membership itself
held_out = audit.samples.is_held_out
scores = audit.samples.score[audit.selected][held_out]
print(f"\n{len(scores)} held-out samples, {int(audit.samples.is_member[held_out].sum())} of them members")
assert len(scores) == audit.row(audit.selected).n_members + audit.row(audit.selected).n_non_members

# %% A page for people, a file for the next release to be compared with
page = folder / "audit.html"
page.write_text(render([audit], "html"), encoding="utf-8")
store.write(folder / "audit.npz", audit)
assert mi_audit.read(folder / "audit.npz") is not audit
assert mi_audit.read(folder / "audit.npz").rows == audit.rows
print(f"{page.name}: {page.stat().st_size / 1000:.0f} kB")

# %% A series: how leakage grows with training (`mi-audit evaluate --model 'epoch-*.pt'` does the same)
series = []
for epoch in (1, 8, 60):
    path = folder / f"epoch-{epoch}.pt"
    train_target(path, seed=0, epochs=epoch)
    attacks = ("naive", "threshold")
    made = mi_audit.audit(str(path), "digits", attacks=attacks, policy="none", cache_dir=folder / "cache")
    store.write(folder / f"epoch-{epoch}.npz", made)
    series.append(made)
print("\nepoch  members  non-members  balanced accuracy")
for epoch, each in zip((1, 8, 60), series, strict=True):
    target = next(row for row in each.accuracy if row.samples == "full")
    reached = each.row(each.selected).metrics["balanced_accuracy"].value
    print(f"{epoch:5}  {target.member.value:7.2%}  {target.non_member.value:11.2%}  {reached:17.2%}")
(folder / "epochs.html").write_text(render(series, "html", by="epoch"), encoding="utf-8")
known = [next(row for row in each.accuracy if row.samples == "full").member.value for each in series]
assert known == sorted(known)  # it learns its members by heart

# %% The end
removed_at_the_end.cleanup()
