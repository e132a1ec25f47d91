"""Delivery policies, their checks, and what a payload is found to be under one."""
