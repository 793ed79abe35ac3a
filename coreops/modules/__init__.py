"""The modules: one file each, found by name through ``registry``. Pure: steps out, results out."""
