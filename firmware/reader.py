"""What a reader chip does for the board, whichever it is: `type_a.TypeA` over an MFRC522, and `pn532.Pn532`.

Raises ReaderFault from every method; what else is said there.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class Found:
    """A card that was selected."""

    def __init__(self, uid: bytes, sak: int) -> None:
        self.uid = uid  # 4, 7 or 10 bytes
        self.sak = sak  # its last SAK: 0 for the chips that we know


class Reader(Protocol):
    transfers: int  # frames that went through the air, since the start

    def start(self) -> None:
        """Reset the chip and set it up; the field is on then."""

    def check(self) -> None:
        """Is the chip there, and still set up? ReaderFault if not."""

    def select(self) -> "Found | None":
        """The card in the field, awake and selected; None: there is none. Raises TwoCards, Garbled."""

    def command(self, data: bytes, wait_ms: int, answer_bytes: int) -> bytes:
        """The answer (`answer_bytes` long, 0: a four-bit ACK) of the selected card. Raises Silent, Garbled, Nak."""
