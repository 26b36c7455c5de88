"""What a unit is made of: interfaces, errors and events, and each way to have the parts.

`pi/` (the real parts), `board/` (parts behind the serial link) and `virtual/` (parts in memory) hold files of
the same names. Frames become barcodes in `decode/`.
"""
