"""What leaves the machine: the journal's, elsewhere."""
