# Talks to the judge's own listeners, to the world outside, and looks for any interface that leads anywhere.
import os
import socket


def tried(what, attack):
    try:
        attack()
        print("GOT:", what)
    except OSError as error:
        print("refused:", what + ":", error.strerror or error)


def tcp(host, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(0.5)
    s.connect((host, port))


def abstract(name):
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect("\0" + name)


def udp(host):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", (host, 53))


def raw():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)


def interfaces():
    names = [name for _, name in socket.if_nameindex()]
    if names != ["lo"]:
        return
    raise OSError(0, "only lo is there, and it is down")


tried("the judge's TCP port", lambda: tcp("127.0.0.1", int(os.environ["BAIT_PORT"])))
tried("the judge's abstract unix socket", lambda: abstract(os.environ["BAIT_SOCKET"]))
tried("a host outside by TCP", lambda: tcp("192.0.2.1", 80))
tried("a host outside by UDP", lambda: udp("192.0.2.1"))
tried("a raw socket", raw)
tried("an interface of the host", interfaces)
print("done")
