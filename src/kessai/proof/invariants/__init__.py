"""What must be true of the product, one named function each: its specification in code."""
