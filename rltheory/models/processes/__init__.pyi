from .linear import ControlledLQ as ControlledLQ
from .linear import LinearSDE as LinearSDE
from .polynomial import PolynomialDiffusion as PolynomialDiffusion
from .scalar import CIR as CIR
from .scalar import GBM as GBM
from .scalar import OU as OU
from .scalar import BrownianMotion as BrownianMotion
from .sde import SDE as SDE
