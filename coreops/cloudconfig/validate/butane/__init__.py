"""Judges Butane's YAML of the flatcar variant: an Ignition config with other names, and a few keys more."""
