"""Delivery policies, the kinds of their rules, and the results of applying them to payloads."""
