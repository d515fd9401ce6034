# Prints without end.
while True:
    print("yes" * 1000)
