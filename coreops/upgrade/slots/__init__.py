"""Slot drivers: how a node's slots are looked at, written, activated and proven. Text and data only; runs nothing."""
