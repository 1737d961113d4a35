import numpy as np
from numpy.typing import NDArray

LAYOUT: int

def fuse(
    program: NDArray[np.int64],
    shares: NDArray[np.float64],
    honest: NDArray[np.float64],
    attacked: NDArray[np.float64],
    weights: NDArray[np.float64],
    line: int,
    relative: list[NDArray[np.float64]],
    alone: list[NDArray[np.float64]],
    likelihood: NDArray[np.float64],
    summary: NDArray[np.float64],
    /,
) -> None: ...
def posteriors(
    base: NDArray[np.float64],
    likelihood: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    cumulative: NDArray[np.float64],
    /,
) -> bool: ...
