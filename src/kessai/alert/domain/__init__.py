"""What is known of an order, which rules hold over it, and what follows."""
