"""Terms: the parts of a rule that a person chooses: for which runs, by which figures, how often."""
