"""From a plan to its end: the loop around the coordinator, rounds, the log of a run."""
