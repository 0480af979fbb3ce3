"""`python -m trellis_worker`: started by the server, which leaves a socket and the environment."""

from __future__ import annotations

import logging
import os
import sys

from . import offline, parent
from .channel import FD_VARIABLE, Channel
from .session import Session


def main() -> int:
    """Runs one worker; 2 where it was not started by a server."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    if FD_VARIABLE not in os.environ:
        sys.stderr.write(
            f"trellis_worker: `{FD_VARIABLE}` is not set: `trellis serve` starts workers, people do not\n"
        )
        return 2
    parent.die_with_parent()
    channel = Channel.inherited()
    offline.close_network()
    Session(channel).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
