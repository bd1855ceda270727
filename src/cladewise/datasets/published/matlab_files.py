"""Variables of MATLAB files."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError


def matlab_variable(file: Path, name: str, at: str) -> NDArray[Any]:
    """A variable of a MATLAB file, as an array with at least one axis.

    Args:
        file: The file.
        name: The variable.
        at: The file, for messages.

    Raises:
        InputError: The file is damaged or of another kind, or has no such variable.

    Example:
        >>> from scipy.io import savemat
        >>> file = getfixture("tmp_path") / "meta.mat"
        >>> savemat(file, {"sizes": [[3, 5]]})
        >>> matlab_variable(file, "sizes", "meta.mat").tolist()
        [3, 5]
    """
    from scipy.io import loadmat  # imports a large part of SciPy
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(file, squeeze_me=True, variable_names=[name])
    except (MatReadError, ValueError, TypeError, IndexError, NotImplementedError, OSError, zlib.error) as error:
        raise InputError("a file of MATLAB 5 to 7", str(error) or "a damaged file", at=at) from None
    if name not in content:
        raise InputError(f"the variable {name}", "none of that name", at=at)
    return np.atleast_1d(content[name])
