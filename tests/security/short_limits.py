"""`python -m tests.security.short_limits`: the proxy with limits of seconds instead of minutes.

It begins with few file descriptors, as some systems hand them out.
"""

import resource
import sys

import proxy.server.bodies
import proxy.server.listening
import proxy.service
from proxy.__main__ import main

FEW_FILES = 256

if __name__ == "__main__":
    proxy.server.listening.UNREAD_SECONDS = 2.0
    proxy.server.bodies.BODY_SECONDS = 1.0
    proxy.service.KEEPALIVE_SECONDS = 1.0
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    sys.exit(main(sys.argv[1:]))
