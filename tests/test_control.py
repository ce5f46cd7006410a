"""What people and money rule of calls."""

from proxy.config.types import Loaded
from proxy.control import Control
from proxy.keep import Keep
from proxy.stage import Trackless


def test_what_it_has_is_rebuilt_under_names_of_its_own() -> None:
    """Two rooms of one name would overwrite each other in a snapshot."""
    control = Control(Keep())
    control.begin(Trackless())  # type: ignore[arg-type]  # nothing is noted
    control.obey(Loaded(""))
    names = [room.name for room in control.rooms]
    assert len(names) == len(set(names))
