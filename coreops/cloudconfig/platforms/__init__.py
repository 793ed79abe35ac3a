"""Platforms: where a machine gets its user-data from, how much of it, and which addresses it can fill in.

Data and pure functions over it; knows nothing of the node model, of targets or of YAML.
"""
