"""fleet's units: read with their ``[X-Fleet]`` options, placed on nodes, converted to what schedulers run today.

``unit_file`` reads what systemd reads, ``fleet`` the options, ``placement`` decides which unit goes where. All of it is
pure; what is written where is the schedulers' business.
"""
