"""Everything that leaves the process: programs, files, other processes, the servers' own doors."""
