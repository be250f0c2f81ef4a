"""A stream processor: state by key, timers by time, output exactly once; over either bus."""
