"""What a body has to do with."""

from proxy.reply import Failure
from proxy.wire.ends import Watched


class Log:
    """A sink and a tap that tell what they are told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def write(self, piece: bytes) -> None:
        """See Sink."""
        self.told.append(piece)

    def end(self, last: bytes, trailers: object) -> None:
        """See Sink."""
        self.told.append(("end", last))

    def broken(self, failure: Failure) -> None:
        """See Sink."""
        self.told.append(failure)

    def saw(self, at: int, piece: bytes) -> None:
        """See Tap."""
        self.told.append((at, piece))

    def ended(self) -> None:
        """See Tap."""
        self.told.append("ended")


def test_who_watches_sees_each_piece_before_it_goes_on() -> None:
    """With where it stands; and the end, but not that it broke off."""
    log = Log()
    watched = Watched(log, log)
    watched.write(b"ab")
    watched.end(b"c", [])
    assert log.told == [(0, b"ab"), b"ab", (2, b"c"), "ended", ("end", b"c")]
    log.told.clear()
    Watched(log, log).broken(Failure.TRUNCATED)
    assert log.told == [Failure.TRUNCATED]
