"""The modules: one file each, found by name through ``registry``. Pure: arguments in, steps out, records in, results out."""
