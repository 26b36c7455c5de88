"""The real parts on a Raspberry Pi (camera, OLED, lights on GPIO, clock). They come with a later release."""
