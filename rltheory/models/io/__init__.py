"""Models in and out: arrays, Gymnasium, PRISM explicit files, Storm DRN, and the library's .npz."""

from .arrays import from_arrays
from .drn import from_drn, to_drn
from .files import load, save
from .gymnasium import from_gymnasium
from .npz import load_npz, save_npz
from .prism import from_prism, to_prism

__all__ = [
    "from_arrays",
    "from_drn",
    "from_gymnasium",
    "from_prism",
    "load",
    "load_npz",
    "save",
    "save_npz",
    "to_drn",
    "to_prism",
]
