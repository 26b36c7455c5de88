"""Parts behind the serial link to the reader board (RP2040): card reader, light, buzzer, buttons, by
`firmware/protocol.py`."""
