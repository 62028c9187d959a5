"""`python -m benchmarks.studies batching`, `scaling` or `control`, with that study's options.

make study ARGS="batching"
make study ARGS="scaling --quick"
"""

import sys

from benchmarks.studies import batching, control, scaling

_STUDIES = {"batching": batching.main, "scaling": scaling.main, "control": control.main}


def main(arguments: list[str]) -> int:
    """Run the study that the first argument names, and return the exit status."""
    study = _STUDIES.get(arguments[0]) if arguments else None
    if study is None:
        print(f"Name a study: {', '.join(_STUDIES)}. Its options: batching --help", file=sys.stderr)
        return 2
    return study(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
