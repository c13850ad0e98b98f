"""``python -m mi_audit`` and the console script ``mi-audit``."""

from mi_audit.cli._edge import guarded


def main() -> None:
    """Run the command line and exit with its code."""
    with guarded():
        from mi_audit.cli._app import app

        app(prog_name="mi-audit")


if __name__ == "__main__":
    main()
