"""What ``make demo`` runs: one call, from a REST request to an ear and back.

Read :mod:`.story` first: it is the demo. :mod:`.stage` sets up who takes part, :mod:`.client` talks
REST, :mod:`.screen` and :mod:`.report` print.
"""
