"""`python -m tests.image`, as root: build both images, run the main job in them, check what stands beside them."""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from time import monotonic

from tests.figures import figure
from tests.image import tools
from tests.image.balanced import balanced
from tests.image.builder import Builder, debootstrap, megabytes
from tests.image.main_job import one_container, two_containers

LIMITS = {"everything": 700, "proxy": 220}  # megabytes


def main() -> None:
    """Everything, one line for each step; raises where something is wrong."""
    begun = monotonic()
    place = Path(tempfile.mkdtemp(prefix="freeaichat-image-"))
    builder = Builder(place / "buildah")
    try:
        _step("base")
        debootstrap(place / "base")
        builder.make_base(place / "base")
        _step("Compose file, and Debian packages for arm64")
        tools.install(place / "base")
        tools.compose(place / "base")
        tools.arm_packages(place / "base")
        images = {}
        for target, limit in LIMITS.items():
            _step(f"image: {target}")
            images[target] = builder.build(target)
            size = megabytes(images[target].root)
            figure(f"image {target}: size", f"{size} MB")
            assert size < limit
        everything, proxy = images["everything"], images["proxy"]
        _step("main job in one container")
        asyncio.run(one_container(everything, place / "one"))
        _step("main job in two containers")
        asyncio.run(two_containers(everything, proxy, place / "two"))
        _step("two proxies behind the balancer")
        asyncio.run(balanced(everything, place / "base", place / "balanced"))
    finally:
        builder.close()
        shutil.rmtree(place)
    figure("image: seconds for all of this", f"{monotonic() - begun:.0f}")


def _step(name: str) -> None:
    print(f"== {name}", flush=True)


if __name__ == "__main__":
    if os.geteuid() != 0:
        raise SystemExit("this makes file systems and namespaces, so it has to run as root")
    main()
