#!/usr/bin/env bash
# Let a release depend on the audit of its model.
#
#     examples/gate_release.sh POLICY ARGUMENTS-OF-EVALUATE...
#     examples/gate_release.sh standard --model net.pt --data cifar100
#     examples/gate_release.sh release.yaml features.npz attack.npz --baseline last.npz
#
# POLICY is strict, standard, lenient, or a file that `mi-audit policy init` started. The script leaves audit.npz and
# audit.md behind whatever the verdict is, and exits as mi-audit does: 0 PASS, 1 FAIL, 2 could not run, 3 no verdict.
set -uo pipefail

[ $# -ge 2 ] || { echo "expected POLICY ARGUMENTS-OF-EVALUATE..., for example standard --model net.pt --data cifar100" >&2; exit 2; }
policy=$1
shift

mi-audit policy check "$policy" || exit 2
rm -f audit.npz audit.md # of an earlier run
mi-audit evaluate "$@" --policy "$policy" --out audit.npz --quiet > verdict.txt
verdict=$?

if [ -f audit.npz ]; then
    mi-audit report audit.npz --out audit.md
    mi-audit verify audit.npz --policy "$policy" || exit 2
fi

case $verdict in
    0) echo "release: PASS" ;;
    1) echo "no release: FAIL, see audit.md" ;;
    3) echo "no release: $(head -n 1 verdict.txt | cut -d : -f 1), see audit.md" ;;
    *) echo "no release: the audit could not run" ;;
esac
exit "$verdict"
