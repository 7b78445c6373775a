"""Rebuild the RFC 4475 torture messages from the text of the RFC.

    python tests/vectors/rfc4475/rebuild.py rfc4475.txt[.gz] [directory]

Appendix A of the RFC holds a gzipped tar archive in base64, spread over pages. Page headers and
footers hold spaces; lines of base64 hold none: that is how they are told apart. The archive has one
file more than the RFC describes messages (``test``); it is left out.
"""

from __future__ import annotations

import base64
import gzip
import io
import re
import sys
import tarfile
from pathlib import Path

BEGIN = "-- BEGIN MESSAGE ARCHIVE --"
END = "-- END MESSAGE ARCHIVE --"
DETAILS = re.compile(r"Message Details : (\w+)")


def read_messages(rfc_text: bytes) -> dict[str, bytes]:
    """Return the messages that the RFC describes, by name.

    Args:
        rfc_text: The RFC as plain text, gzipped or not.
    """
    if rfc_text.startswith(b"\x1f\x8b"):
        rfc_text = gzip.decompress(rfc_text)
    text = rfc_text.decode("latin-1")
    described = set(DETAILS.findall(text))
    lines = [line.strip() for line in text.splitlines()]
    block = lines[lines.index(BEGIN) + 1 : lines.index(END)]
    archive = base64.b64decode("".join(line for line in block if line and " " not in line))
    messages = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for member in tar.getmembers():
            name = Path(member.name).stem
            if name in described and (content := tar.extractfile(member)) is not None:
                messages[name] = content.read()
    return messages


def main(arguments: list[str]) -> int:
    """Write every message to ``<directory>/<name>.dat``."""
    if len(arguments) not in (1, 2):
        sys.stderr.write(f"usage: {Path(__file__).name} rfc4475.txt[.gz] [directory]\n")
        return 2
    directory = Path(arguments[1]) if len(arguments) == 2 else Path(__file__).parent
    for name, message in read_messages(Path(arguments[0]).read_bytes()).items():
        (directory / f"{name}.dat").write_bytes(message)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
