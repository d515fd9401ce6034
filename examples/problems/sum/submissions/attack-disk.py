# Fills every place that can be written with files, and counts what fits: beyond 64 MiB it is the host that is filled.
import os

MANY = 64 << 20


def fill(directory):
    total = 0
    block = b"x" * (1 << 18)
    for number in range(10000):
        try:
            with open(f"{directory}/fill{number}", "wb", buffering=0) as file:
                while total < MANY:
                    n = file.write(block)
                    total += n
                    if n < len(block):
                        break
        except OSError as error:
            if error.errno == 27:  # EFBIG: this file is as large as one may be; another one
                continue
            return total, error.strerror
        if total >= MANY:
            return total, ""
    return total, "too many files"


for directory in ("/tmp", "/dev/shm", "/", "/box", "/usr/share", "/var/tmp", "/home", "/run"):
    total, why = fill(directory)
    print("GOT:" if total >= MANY else "refused:", f"{directory}: {why} after {total >> 20} MiB")
    for name in os.listdir(directory) if os.path.isdir(directory) and total else ():
        if name.startswith("fill"):
            os.unlink(f"{directory}/{name}")
print("done")
