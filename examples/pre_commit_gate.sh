#!/usr/bin/env bash
# Audit every checkpoint that is about to be committed, and refuse the commit unless each of them passes.
#
#     examples/pre_commit_gate.sh DATA POLICY [CHECKPOINT...]
#     examples/pre_commit_gate.sh data/membership.csv audit-policy.yaml
#
# pre-commit names the checkpoints (see pre-commit-config.yaml). Without names these are the staged files that look like
# one, so that it serves as a plain hook too, with this in .git/hooks/pre-commit, made executable:
#
#     #!/bin/sh
#     exec bash examples/pre_commit_gate.sh data/membership.csv audit-policy.yaml
#
# What is audited is what would be committed, not what lies in the folder; files in Git LFS are fetched from it. Exits
# with the worst of the audits: 0 PASS, 1 FAIL, 2 could not run, 3 no verdict. `git commit --no-verify` goes round it.
set -uo pipefail

[ $# -ge 2 ] || { echo "expected DATA POLICY [CHECKPOINT...]" >&2; exit 2; }
data=$1 policy=$2
shift 2

checkpoints=("$@")
if [ $# -eq 0 ]; then
    mapfile -d '' checkpoints < <(git diff --cached --name-only -z --diff-filter=d -- '*.pt' '*.pth' '*.safetensors')
fi
[ ${#checkpoints[@]} -gt 0 ] || exit 0

mi-audit policy check "$policy" > /dev/null || exit 2
cache=$(git rev-parse --absolute-git-dir)/mi-audit # never part of a commit, and found again next time
staged=$(mktemp -d) || exit 2
trap 'rm -rf "$staged"' EXIT

worst=0
for checkpoint in "${checkpoints[@]}"; do
    copy=$staged/$(basename "$checkpoint")
    git cat-file --filters ":./$checkpoint" > "$copy" || exit 2
    mi-audit evaluate --model "$copy" --data "$data" --policy "$policy" --cache-dir "$cache" --quiet > "$staged/report"
    code=$?
    [ -s "$staged/report" ] && echo "$checkpoint: $(head -n 1 "$staged/report")"
    case $code in
        0) ;;
        1) worst=1 ;;
        3) [ "$worst" -eq 1 ] || worst=3 ;;
        *) exit 2 ;;
    esac
done
exit "$worst"
