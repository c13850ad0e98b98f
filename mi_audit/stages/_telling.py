"""What an extraction found about target and data, told before anything is built on it."""

from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.numerals import in_percent
from mi_audit.stages.progress import Progress

_HOPELESS = (
    "with such errors a policy calls the audit INVALID, whatever the attacks find: Ctrl-C stops it now and keeps the "
    "features"
)


def tell(cache: FeatureCache, progress: Progress, *, is_followed: bool = False) -> None:
    """Say every doubt and note, and how accurate the target is where nobody said how accurate it should be.

    Args:
        cache: that was extracted, or found again.
        progress: told about it.
        is_followed: whether attacks are going to be trained now, which errors make useless.
    """
    for finding in cache.findings:
        progress.say(f"{finding.severity}: {finding.message}")
    if cache.provenance["options"].get("expect_accuracy") is None:
        progress.say(_accuracy(cache))
    if is_followed and any(finding.severity == "error" for finding in cache.findings):
        progress.say(_HOPELESS)


def _accuracy(cache: FeatureCache) -> str:
    """The accuracy on both sides, and what to look at where it surprises."""
    on_members, on_non_members = (
        in_percent(float(cache.is_correct[cache.is_member == side].mean()), 1) for side in (True, False)
    )
    is_black_box = "weights_digest" not in cache.provenance["target"]
    what = "the labels" if is_black_box else "--mean/--std and the labels"
    return (
        f"accuracy: {on_members} on members, {on_non_members} on non-members; if you know another, check {what} "
        "(--expect-accuracy makes it a check)"
    )
