"""Drives hosts through segments: window, deadlines, events, results, the journal of a run. Knows no playbook.

program (what a host is driven through) -> session (one host: frames out, records in) -> engine (many hosts) -> plays
(batches and failure budgets). ``patience`` names every wait, ``journal`` makes a run resumable.
"""
