"""The ledger (floor 2): identities, clocks, episodes, authorisations, balances, reconciliation. Pure functions of frames."""
