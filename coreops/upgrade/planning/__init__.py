"""From what an operator asks for to a plan: settings, hosts, releases, rounds, order. Nothing is touched here."""
