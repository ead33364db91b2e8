"""The classical exact theory of finite Markov decision processes.

Definitions: P(s'|s,a) with rows summing to one, R(s,a) ∈ [0, 1] unless said otherwise, 0 ≤ γ < 1,
T v(s) = max_a [R(s,a) + γ Σ P(s'|s,a) v(s')], B v = T v − v, ‖·‖ the sup norm, sp(x) = max x − min x.
One module a block: operators, value iteration, policy iteration, linear programming, perturbation,
average reward, finite horizon, regularised problems, variance, off-policy evaluation, structure.
"""
