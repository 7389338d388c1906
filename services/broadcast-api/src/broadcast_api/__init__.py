"""Records broadcasts, plans their delivery, projects the ledger, serves HTTP."""
