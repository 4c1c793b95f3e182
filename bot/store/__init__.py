"""Redis: incidents, commits, and everything else that outlives the process."""
