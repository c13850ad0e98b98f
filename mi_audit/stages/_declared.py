"""What the user declared about the data, on its way into a feature cache."""

from dataclasses import replace

from mi_audit.schema.feature_cache import FeatureCache


def with_declared(cache: FeatureCache, declared: tuple[str, ...]) -> FeatureCache:
    """The cache with these facts, sorted, in place of what was declared when it was made; itself where they agree."""
    now = sorted(set(declared))
    if cache.provenance.get("declared", []) == now:
        return cache
    return replace(cache, provenance={**cache.provenance, "declared": now})
