"""Parts behind the serial link to the reader board (RP2040): card reader, light, buzzer, button, by
`firmware/protocol.py`. They come with a later release."""
