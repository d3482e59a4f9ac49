"""Delivery: the durable queue of API operations and the thread that sends it."""
