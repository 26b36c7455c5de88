"""What can go wrong between the board and a card, each with a name."""


class ReaderFault(Exception):
    """The reader chip is absent or hangs: `error` is protocol.ABSENT or protocol.HUNG. Starting it anew may help."""

    def __init__(self, error: int, what: str) -> None:
        super().__init__(what)
        self.error = error


class Silent(Exception):
    """No answer in time: the card left, or was never there."""


class Garbled(Exception):
    """An answer came damaged (parity, CRC, framing, a full buffer). To read again does no harm."""


class TwoCards(Exception):
    """Several cards answered at once."""


class Nak(Exception):
    """The card refused; its four bits (NTAG213/215/216 data sheet, 'ACK and NAK'). It must be selected anew."""

    def __init__(self, code: int) -> None:
        super().__init__("NAK", code)
        self.code = code


NAK_ARGUMENT = 0
NAK_DAMAGED = 1  # parity or CRC of what the card heard
NAK_TRIES = 4  # too many wrong passwords
NAK_MEMORY = 5  # the memory can't be written
NAK_UNKNOWN = 15  # the reader chip doesn't say which
