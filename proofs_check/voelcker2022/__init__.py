"""Voelcker, Liao, Garg, Farahmand: Value Gradient weighted Model-Based Reinforcement Learning (2022).

`setting` has samples and functions, `losses` the chain of inequalities and what the losses see, `fits` their
minimisers, `noise` those under random next states, `values` what model errors do to values.
"""
