"""What the unit's display shows: every state as a picture of 128x64 pixels, one bit each.

`states` says what is shown (words in Japanese and English), `screen` is that as data, `layout.draw` makes the
picture of it through luma's canvas. `fonts`, `text` and `icons` are what it is made of.
"""
