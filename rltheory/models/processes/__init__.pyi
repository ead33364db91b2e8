from .polynomial import PolynomialDiffusion as PolynomialDiffusion
