"""The board's program. It never ends: whatever goes wrong, the machine begins anew, and says in its hello that it
did."""

import os
import time

import machine

try:
    from firmware import usb
    from firmware.run import make

    try:
        with open("config.json") as file:
            text = file.read()
    except OSError:
        text = "{}"
    board = make(
        usb, usb.Usb(), usb.Flash(), usb.heap_used, text, int.from_bytes(os.urandom(4), "little"),
        machine.reset_cause(), machine.unique_id(),
    )  # fmt: skip
    while True:
        board.turn()
finally:
    time.sleep_ms(200)  # a fault at the very start must not reset faster than a person can copy new files
    machine.reset()
