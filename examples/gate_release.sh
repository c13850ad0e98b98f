#!/usr/bin/env bash
# Let a release depend on the audit of its model.
#
#     examples/gate_release.sh POLICY ARGUMENTS-OF-EVALUATE...
#     examples/gate_release.sh standard --model net.pt --data cifar100
#     examples/gate_release.sh release.yaml features.npz attack.npz --baseline last.npz
#
# POLICY is strict, standard, lenient, or a file that `mi-audit policy init` started. The script leaves release-audit.npz
# and release-audit.md behind whatever the verdict is, and exits as mi-audit does: 0 PASS, 1 FAIL, 2 could not run, 3 no verdict.
set -uo pipefail

[ $# -ge 2 ] || { echo "expected POLICY ARGUMENTS-OF-EVALUATE..., for example standard --model net.pt --data cifar100" >&2; exit 2; }
policy=$1
shift

mi-audit policy check "$policy" || exit 2
rm -f release-audit.npz release-audit.md # of an earlier run
mi-audit evaluate "$@" --policy "$policy" --out release-audit.npz --quiet > release-verdict.txt
verdict=$?

if [ -f release-audit.npz ]; then
    mi-audit report release-audit.npz --out release-audit.md
    mi-audit verify release-audit.npz --policy "$policy" || exit 2
fi

case $verdict in
    0) echo "release: PASS" ;;
    1) echo "no release: FAIL, see release-audit.md" ;;
    3) echo "no release: $(head -n 1 release-verdict.txt | cut -d : -f 1), see release-audit.md" ;;
    *) echo "no release: the audit could not run" ;;
esac
exit "$verdict"
