"""The handler file for batches of events: `vastde functions build exr-inspector -t build/stage -H batches.py`.

The runtime of VAST 5.5 hands over lists only to a handler with its own decorator, which is not on the package index.
"""

from vast.dataengine.sdk import event_batching_handler  # type: ignore[import-not-found]

import main


def init(ctx):
    main.init(ctx)


@event_batching_handler
def handler(ctx, events):
    return main.handler(ctx, events)
