"""The real parts on a Raspberry Pi: camera (picamera2), OLED (luma.oled), lights, buzzer and buttons on GPIO, clock,
and hand scanners on USB. `find` says what is plugged in where (`tokuten doctor`). Each is opened by `hal.backends`.

No module here imports a vendor's library at its top: where it is missing, opening the part says so.
"""
