"""One event on its way, from the platform to an answer."""
