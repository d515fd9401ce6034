# Takes memory, and uses it, until there is none.
blocks = []
while True:
    blocks.append(bytearray(b"x" * (1 << 20)))
