#!/usr/bin/env bash
# Stop a release when the audit finds more leakage than you accept.
#
#     examples/gate_a_release.sh CHECKPOINT DATA [LIMIT]
#
# LIMIT is the highest balanced accuracy of the selected attack on held-out samples (default 0.60). The script leaves
# audit.npz and audit.md behind, whatever the outcome, and exits as mi-audit does: 0 within the limit, 1 above it,
# 2 could not run, 3 not estimable.
set -uo pipefail

model=$1 data=$2 limit=${3:-0.60}

mi-audit evaluate --model "$model" --data "$data" \
    --fail-above "balanced_accuracy=$limit" --out audit.npz --quiet
verdict=$?
[ -f audit.npz ] && mi-audit report audit.npz --out audit.md

case $verdict in
    0) echo "release: the selected attack stays within balanced accuracy $limit" ;;
    1) echo "no release: the selected attack exceeds balanced accuracy $limit" ;;
    3) echo "no release: the limit could not be checked with these samples" ;;
    *) echo "no release: the audit could not run" ;;
esac
exit "$verdict"
