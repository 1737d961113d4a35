"""Progress bars: on a terminal, and nowhere else.

Owns how progress is shown. It must not know what is being done.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress(total: int, title: str) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error while something is done; gone when it is done.

    Args:
        total: Number of steps.
        title: What is being done.

    Yields:
        A function that takes the number of steps just done.
    """
    with tqdm(
        total=total, desc=title, leave=False, disable=not sys.stderr.isatty(), mininterval=0.2
    ) as bar:

        def advance(steps: int) -> None:
            bar.update(steps)

        yield advance
