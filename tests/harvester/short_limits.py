"""`python -m tests.harvester.short_limits`: the harvester with pauses, limits and heartbeats of about a second.

A month of faults fits into a minute that way. What is due when is still decided by its own policy.
"""

import sys
from functools import partial

from harvester.__main__ import main
from harvester.job import Limits
from harvester.service import policy, saving, schedule, visit_processes
from harvester.service import run as service
from harvester.service.visitor import Visitor
from shared.processes import heartbeat

FAILURE_PAUSE = 0.3
CHALLENGE_PAUSE = 0.8
HEARTBEAT_SECONDS = 0.3
STORE_SECONDS = 0.5
MARGIN_SECONDS = 4.0  # a picture takes up to 3
LIMITS = Limits(browser=3.0, load=1.5, chat=0.8, settle=0.5, glance=0.5, guest_id=0.5, visit=6.0)
_SHORT = (
    (policy, "FAILURE_PAUSES", (FAILURE_PAUSE,)),
    (policy, "CHALLENGE_PAUSES", (CHALLENGE_PAUSE,)),
    (schedule, "HOLD_SECONDS", FAILURE_PAUSE),
    (service, "HOLD_SECONDS", FAILURE_PAUSE),
    (saving, "STORE_SECONDS", STORE_SECONDS),
    (visit_processes, "MARGIN_SECONDS", MARGIN_SECONDS),
    (heartbeat, "EVERY_SECONDS", HEARTBEAT_SECONDS),
    (service, "Visitor", partial(Visitor, limits=LIMITS)),
)


if __name__ == "__main__":
    for module, name, value in _SHORT:
        setattr(module, name, value)
    sys.exit(main())
