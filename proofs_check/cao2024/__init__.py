"""Cao and Pan: Impact of Computation in Integral Reinforcement Learning for Continuous-Time Control.

`setting` has linear-quadratic systems with rational solutions; `newton` and `inexact` treat policy iteration
as Newton's method, `evaluation`, `trapezoid` and `conditioning` what quadrature does to the value of a
policy, `meshes` what it does to the iteration, `spaces` the rules that are best in a Hilbert space, `rates`
and `orders` how fast they are, with the published numbers; `experiments` and `figures` the curves.
"""
