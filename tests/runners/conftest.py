"""A night with an attack, as a spool: what loops are begun over."""

import pytest
from spooled import pieces, write

from jackstop import simulator
from jackstop.sources import bundle as bundles


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """The folder of the spool, the bundle it was written from, and the number of its last frame."""
    root = tmp_path_factory.mktemp("night")
    simulator.simulate("usb-malware", root / "bundle", 4, 8.0, 3)
    bundle = bundles.load(root / "bundle")
    return root, bundle, write(bundle, root / "spool", listed=pieces(bundle, 200))
