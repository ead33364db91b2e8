"""The catalogue: one module (or package) a paper, each a list of claims.  `rltheory check` runs them all."""
