"""What is true on paper: the book and its moves, the published answers, chance by seed."""
