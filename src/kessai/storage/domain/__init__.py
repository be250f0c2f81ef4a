"""Rules of the catalogue and of stock that would be true on paper."""
