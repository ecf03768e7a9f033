"""The shortest program that runs a model: `python -m intvit.bench.first_logits MODEL` prints the likeliest class of noise."""

from __future__ import annotations

import sys


def main(model: str) -> None:
    """Run a model once."""
    import intvit
    from intvit.io.model import test_pattern

    session = intvit.Session(model)
    print(session.run(test_pattern((*session.image_size, 3))).argmax(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
