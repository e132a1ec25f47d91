"""The element trigger of the endpoint: tells a function what happened to objects."""

from .element import ElementTrigger, TriggerCounts, TriggerFaults

__all__ = ["ElementTrigger", "TriggerCounts", "TriggerFaults"]
