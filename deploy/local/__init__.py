"""Everything on one machine: the parts as child processes, watched by one supervisor."""
