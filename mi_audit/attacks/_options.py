"""What the options of attacks have to be. A ValueError here reaches the user as an error of usage."""

LARGEST_COUNT = 1_000_000


def require_positive(**values: float | None) -> None:
    """Refuse an option that is not above 0; ``None`` passes.

    Raises:
        ValueError: the first that is not.
    """
    for name, value in values.items():
        if value is not None and not value > 0:
            raise ValueError(f"expected {name} above 0, got {value}")


def require_count(**values: int | None) -> None:
    """Refuse a number of things below 1, or above what any library takes; ``None`` passes.

    Raises:
        ValueError: the first that is not.
    """
    for name, value in values.items():
        if value is not None and not 1 <= value <= LARGEST_COUNT:
            raise ValueError(f"expected {name} from 1 to {LARGEST_COUNT:,}, got {value:,}")


def require_share(**values: float | None) -> None:
    """Refuse an option that is not above 0 and at most 1; ``None`` passes.

    Raises:
        ValueError: the first that is not.
    """
    for name, value in values.items():
        if value is not None and not 0 < value <= 1:
            raise ValueError(f"expected {name} above 0 and at most 1, got {value}")
