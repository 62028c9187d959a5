"""Where the `penstock` command begins: imports nothing that takes long, so that Ctrl-C is clean from the start."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is still being imported is no more than that."""
    try:
        from penstock.cli.main import main as run

        run()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
