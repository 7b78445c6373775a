"""A speech program that misbehaves on demand: the text it is given says how.

It writes the frames of ``orbit_voice.speech.frames`` from their description, not with that
module's code. Run as ``python fake_program.py MODE [COUNTER]``; MODE is ``good`` or a way to fail
before being ready; COUNTER is a file that gets one byte for each start.
"""

import json
import os
import struct
import sys
import time


def put(header, body=b""):
    head = json.dumps(header).encode()
    sys.stdout.buffer.write(struct.pack(">4sII", b"OVS1", len(head), len(body)) + head + body)
    sys.stdout.buffer.flush()


def take():
    prefix = sys.stdin.buffer.read(12)
    if len(prefix) < 12:
        sys.exit(0)
    _, head, body = struct.unpack(">4sII", prefix)
    header = json.loads(sys.stdin.buffer.read(head))
    return header, sys.stdin.buffer.read(body).decode()


def wav(samples):
    audio = struct.pack("<h", 1000) * samples
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(audio), b"WAVE", b"fmt ", 16, 1, 1,
        8000, 16000, 2, 16, b"data", len(audio),
    ) + audio  # fmt: skip


def hang():
    while True:
        time.sleep(3600)


def crash(ok):
    sys.stderr.write("Segmentation fault, so to speak\n")
    sys.stderr.flush()
    os._exit(139)


def garbage(ok):
    sys.stdout.buffer.write(b"Hello, I am a library that prints. " * 9)
    sys.stdout.buffer.flush()
    hang()


def cut(ok):
    sys.stdout.buffer.write(struct.pack(">4sII", b"OVS1", 10, 1000) + b'{"id": 1}')
    sys.stdout.buffer.flush()
    os._exit(0)


def huge(ok):
    sys.stdout.buffer.write(struct.pack(">4sII", b"OVS1", 10, 2**31))
    sys.stdout.buffer.flush()
    hang()


def flood(ok):
    while True:
        sys.stdout.buffer.write(b"flood " * 10000)


def noise(ok):
    for _ in range(20):
        sys.stderr.buffer.write(b"x" * 50000 + b"\n")
    sys.stderr.flush()
    put(ok, wav(80))


def slow(ok):
    time.sleep(0.5)
    put(ok, wav(80))


def twice(ok):
    put(ok, wav(80))
    put(ok, wav(80))


def settings(ok):
    names = [name for name in os.environ if name.startswith("ORBIT_")]
    put({**ok, "status": "rejected", "reason": f"sees {names}"})


BEHAVIOURS = {
    "crash": crash,
    "hang": lambda ok: hang(),
    "garbage": garbage,
    "cut": cut,
    "huge": huge,
    "flood": flood,
    "noise": noise,
    "slow": slow,
    "twice": twice,
    "settings": settings,
    "stale": lambda ok: put({**ok, "id": ok["id"] - 1}, wav(80)),
    "rejected": lambda ok: put({**ok, "status": "rejected", "reason": "no such word"}),
    "failed": lambda ok: put({**ok, "status": "failed", "reason": "ValueError"}),
}


def answer(header, text):
    ok = {"id": header["id"], "status": "ok"}
    behave = BEHAVIOURS.get(text, lambda ok: put(ok, wav(80 * len(text))))
    behave(ok)


def main():
    mode, *counter = sys.argv[1:]
    if counter:
        with open(counter[0], "ab") as file:
            file.write(b".")
    if mode == "crash":
        sys.exit(1)
    if mode == "hang":
        hang()
    if mode == "rude":
        put({"status": "who are you"})
    put({"status": "ready"})
    while True:
        answer(*take())


main()
