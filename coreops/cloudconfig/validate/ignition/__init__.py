"""Judges what Ignition reads: JSON of spec 3, from 3.0.0 to 3.4.0."""
