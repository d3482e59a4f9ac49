"""PostgreSQL: its faults told apart, and writes in batches."""
