"""Models with known answers, scalable families, and the instances that make theorems tight.

`names()` lists them; `describe(name)` is the first line of a model's docstring.
"""

from __future__ import annotations

from ..random import garnet, random_garnet, random_mdp
from .chains import chain, combination_lock, deep_sea, layered_dag, multi_scc, river_swim, two_cycle
from .continuous import scalar_lqr, sine_gain, third_order_lqr
from .control import acrobot, cart_pole, double_integrator, inverted_pendulum, mountain_car
from .games import blackjack, gambler, secretary
from .grids import cliff_walking, frozen_lake, gridworld, gridworld_5x5, maze, taxi
from .hard import (
    avi_api_chain,
    avi_api_errors,
    feinberg_huang,
    howard_three_changes,
    lower_bound_chain,
    quit_or_go,
    relay,
    ring,
    simple_pi_exponential,
    singh_yee,
    singh_yee_values,
    span_tight,
    swap_chain,
    two_absorbing,
    williams_baird,
    williams_baird_values,
)
from .latent import latent_hard, latent_three, maxsat_latent, wait_and_guess
from .locks import noisy_lock, noisy_locks
from .outcomes import gambler_chain, homeostasis, outcome_family, outcome_family_vector, slippery_grid
from .pendulum import pendulum
from .queues import inventory, queue, tandem_queue
from .regret import needle, regret_chain, river_swim_episodes, sticky
from .rental import jacks_car_rental
from .textbook import (
    disconnected_bandits,
    howard_taxicab,
    howard_toymaker,
    machine_replacement,
    one_state,
    puterman_inventory,
    puterman_inventory_finite,
    puterman_policies,
    puterman_two_state,
    two_state_chain,
)
from .tight import (
    azar_loop,
    cash_out,
    coin,
    countdown,
    diameter_two_state,
    leaving_chain,
    policy_loss_tight,
    simulation_tight,
    slow_switch,
    ssp_improper,
)
from .u_maze import u_maze

__all__ = [
    "acrobot",
    "avi_api_chain",
    "avi_api_errors",
    "azar_loop",
    "blackjack",
    "cart_pole",
    "cash_out",
    "chain",
    "cliff_walking",
    "coin",
    "combination_lock",
    "countdown",
    "deep_sea",
    "describe",
    "diameter_two_state",
    "disconnected_bandits",
    "double_integrator",
    "feinberg_huang",
    "frozen_lake",
    "gambler",
    "gambler_chain",
    "garnet",
    "gridworld",
    "gridworld_5x5",
    "homeostasis",
    "howard_taxicab",
    "howard_three_changes",
    "howard_toymaker",
    "inventory",
    "inverted_pendulum",
    "jacks_car_rental",
    "latent_hard",
    "latent_three",
    "layered_dag",
    "leaving_chain",
    "lower_bound_chain",
    "machine_replacement",
    "maxsat_latent",
    "maze",
    "mountain_car",
    "multi_scc",
    "names",
    "needle",
    "noisy_lock",
    "noisy_locks",
    "one_state",
    "outcome_family",
    "outcome_family_vector",
    "pendulum",
    "policy_loss_tight",
    "puterman_inventory",
    "puterman_inventory_finite",
    "puterman_policies",
    "puterman_two_state",
    "queue",
    "quit_or_go",
    "random_garnet",
    "random_mdp",
    "regret_chain",
    "relay",
    "ring",
    "river_swim",
    "river_swim_episodes",
    "scalar_lqr",
    "secretary",
    "simple_pi_exponential",
    "simulation_tight",
    "sine_gain",
    "singh_yee",
    "singh_yee_values",
    "slippery_grid",
    "slow_switch",
    "span_tight",
    "ssp_improper",
    "sticky",
    "swap_chain",
    "tandem_queue",
    "taxi",
    "third_order_lqr",
    "two_absorbing",
    "two_cycle",
    "two_state_chain",
    "u_maze",
    "wait_and_guess",
    "williams_baird",
    "williams_baird_values",
]

_NOT_MODELS = {
    "avi_api_errors",
    "describe",
    "names",
    "noisy_locks",
    "scalar_lqr",
    "sine_gain",
    "singh_yee_values",
    "third_order_lqr",
    "williams_baird_values",
}


def names() -> tuple[str, ...]:
    """Names of all gallery models, sorted."""
    return tuple(name for name in __all__ if name not in _NOT_MODELS)


def describe(name: str) -> str:
    """The first paragraph of the docstring of a gallery model, on one line.

    Raises
    ------
    InvalidArgument
        If there is no such model; the message names the nearest ones.
    """
    return " ".join((globals()[check_name(name)].__doc__ or "").split("\n\n")[0].split())


def check_name(name: str) -> str:
    """`name`, or `InvalidArgument` with the nearest names."""
    if name in names():
        return name
    import difflib

    from ...errors import InvalidArgument

    near = difflib.get_close_matches(name, names(), n=3, cutoff=0.4) or ["river_swim", "frozen_lake"]
    raise InvalidArgument(
        f"gallery: no model {name!r}; did you mean {', '.join(near)}? gallery.names() lists all"
    )
