"""The CPU kernels' names for a CUDA card: `bellman_csr`, `bellman_dense`, `batched`, `evaluate`,
`categorical`, `quantile`, `normals`, `paths`.

Arrays are anything with ``__cuda_array_interface__`` (CuPy, Numba, PyTorch); host arrays are copied to
the card and, where they are outputs, back.  Sums are taken in another order than on the CPU, so values
agree to rounding, not bit for bit; nothing here certifies anything.  `..pick` chooses the module;
`..support` lists what exists where.  With NUMBA_ENABLE_CUDASIM=1 everything but CuPy's algebra runs
without a card.
"""
