"""What goes out: the index, the dictionary, pictures."""
