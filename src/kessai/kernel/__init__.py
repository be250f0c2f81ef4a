"""What two services need and no business knows: database, bus, clock, calls, web shell."""
