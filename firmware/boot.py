"""First thing after a reset: a byte 0x03 from the host must not stop what comes next (seen on an emulated RP2040)."""

import micropython

micropython.kbd_intr(-1)
